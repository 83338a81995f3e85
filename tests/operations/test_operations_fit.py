"""A fit leaves its run in the state it ended in, keeps no password, and takes a run up again as it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from luban.core.errors import Conflict, InputError, Unavailable
from luban.core.operation import Operation
from luban.operations.export import export
from luban.operations.fit import fit
from luban.operations.fitting import finish as finishing
from luban.operations.fitting.alone import alone
from luban.operations.predict import predict
from luban.operations.reading import name_for, source_of
from luban.operations.runs.list_ import runs_list

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

ROWS = [{"a": i % 7, "b": i % 5, "y": "yes" if i % 7 > 3 else "no"} for i in range(80)]
QUICK: dict[str, Any] = {"target": "y", "rounds": 1, "learners": ("linear",), "name": "small"}


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(finishing, "finish", fail)


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (Unavailable("the disk is full"), "failed", "unavailable"),
        (ZeroDivisionError("a defect"), "failed", "defect"),
        (KeyboardInterrupt(), "interrupted", None),
    ],
)
def test_run_that_made_no_model_says_how_it_ended_and_can_be_resumed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: BaseException, state: str, code: str | None
) -> None:
    with monkeypatch.context() as patch:
        broken(patch, error)
        with pytest.raises(type(error)):
            fit(workspace, ROWS, **QUICK)
    run = runs_list(workspace).runs[0]
    assert run.state == state
    assert (run.error or {}).get("code") == code
    made = fit(workspace, resume=run.id)
    assert (made.run, made.model) == (run.id, "small/1")
    again = workspace.runs.get(run.id)
    assert (again.state, again.error) == ("finished", None)
    with pytest.raises(Conflict, match="small/1"):
        fit(workspace, resume=run.id)


def test_every_candidate_is_a_child_run_with_its_score(workspace: Workspace) -> None:
    made = fit(workspace, ROWS, **QUICK | {"learners": ("linear", "constant"), "rounds": 2})
    trials = workspace.runs.list(parent=made.run)
    assert {trial.request["learner"] for trial in trials} == {line.learner for line in made.leaderboard}
    assert all(trial.operation == "trial" and trial.ended is not None for trial in trials)
    best = workspace.runs.list(parent=made.run, order_by="score", limit=1)[0]
    assert best.request["learner"] == "linear"
    assert best.scores["weight"] == 1


def test_fit_that_is_still_running_is_not_resumed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        broken(patch, Unavailable("the disk is full"))
        with pytest.raises(Unavailable):
            fit(workspace, ROWS, **QUICK)
    run = runs_list(workspace).runs[0]
    with alone(workspace, run), pytest.raises(Conflict, match="still running"):
        fit(workspace, resume=run.id)
    assert workspace.runs.get(run.id).state == "failed"
    assert fit(workspace, resume=run.id).model == "small/1"


def test_resumed_fit_takes_no_other_options(workspace: Workspace) -> None:
    for other in ({"target": "y"}, {"metric": "f1"}, {"rounds": 3}, {"learners": ("linear",)}, {"name": "x"}):
        with pytest.raises(InputError, match="--resume alone"):
            fit(workspace, resume="whatever", **other)


def test_name_is_refused_before_anything_is_kept(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        fit(workspace, ROWS, **QUICK | {"name": "../evil"})
    assert workspace.datasets.list() == []
    assert list((workspace.root / "blobs").rglob("*.*")) == []


def test_passwords_of_database_urls_are_not_told() -> None:
    assert source_of("postgresql://me:secret@db/x") == "postgresql://me:***@db/x"
    assert name_for("a" * 300 + ".csv") == "a" * 100


def test_export_finds_rows_to_compare_on_where_the_first_have_no_target(workspace: Workspace, tmp_path: Path) -> None:
    unknown = [{"a": 1, "b": 2, "y": None}] * 2100
    made = fit(workspace, unknown + ROWS * 30, **QUICK)
    assert export(workspace, made.model, output=tmp_path / "onnx").parity <= 1e-4
    assert isinstance(predict, Operation)
    assert predict(workspace, made.model, ROWS[:5]).rows == 5
