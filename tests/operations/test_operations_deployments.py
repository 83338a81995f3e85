"""Deployments and feedback as a person handles them: deploy, canary, shadow, promote, roll back, labels, erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import small_models as small
from luban.core.errors import Conflict, InputError, NotFound
from luban.operations.approvals.approve import approvals_approve
from luban.operations.deploy import deploy
from luban.operations.deployments.list_ import deployments_list
from luban.operations.deployments.promote import deployments_promote
from luban.operations.deployments.remove import deployments_remove
from luban.operations.deployments.rollback import deployments_rollback
from luban.operations.deployments.show import deployments_show
from luban.operations.feedback import feedback
from luban.operations.predictions.erase import predictions_erase
from luban.operations.predictions.export import predictions_export
from luban.store import Workspace
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.core.task import Task


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with three versions of a model."""
    with Workspace.open(tmp_path / ".luban", actor="ada") as opened:
        for _ in range(3):
            register(opened, "adult", small.BINARY)
        yield opened


def register(workspace: Workspace, name: str, task: Task) -> None:
    fitted = small.fitted(task)
    workspace.models.register(
        name=name, artifact=workspace.blobs.put(b"nothing"), signature=fitted.signature, task=fitted.task
    )


def log(workspace: Workspace, *ids: str, subject: str | None = None, moment: datetime | None = None) -> None:
    made = [
        {"request_id": one, "row": 0, "moment": moment or datetime.now(UTC), "deployment": "shop", "model": "adult/1"}
        | {"arm": "champion", "latency_ms": 1.0, "subject": subject, "output.prediction": "low"}
        for one in ids
    ]
    workspace.predictions.append(
        pa.Table.from_pylist(made, schema=pa.schema([*COLUMNS, ("output.prediction", pa.string())]))
    )


def test_a_canary_grows_up(workspace: Workspace) -> None:
    """Deploy, canary, promote, rollback: shares, log and history follow, each with its reason."""
    assert deploy(workspace, "shop", "adult/1", log="10%", keep=30).traffic == {"adult/1": 1.0}
    canary = deploy(workspace, "shop", "adult/2", canary="5%", reason="looks better")
    assert canary.traffic == {"adult/1": 0.95, "adult/2": 0.05}
    assert (canary.champion, canary.canaries, canary.log, canary.keep) == ("adult/1", ("adult/2",), 0.1, 30)
    assert deployments_promote(workspace, "shop", reason="it is").traffic == {"adult/2": 1.0}
    assert deployments_rollback(workspace, "shop", reason="it was not").traffic == {"adult/1": 1.0}
    assert deployments_list(workspace) == (workspace.deployments.get("shop"),)
    shown = deployments_show(workspace, "shop")
    assert [one.reason for one in shown.history] == ["it was not", "it is", "looks better", ""]
    assert {one.actor for one in shown.history} == {"ada"}
    deployments_remove(workspace, "shop", reason="closed")
    assert deployments_list(workspace) == ()
    assert workspace.deployments.history("shop")[-1].detail["reason"] == "closed"
    assert workspace.audit.verify()


def test_rolling_back_twice_goes_back_twice(workspace: Workspace) -> None:
    """Not to and fro; and a canary that goes is no champion that went."""
    for version in (1, 2, 3):
        deploy(workspace, "shop", f"adult/{version}")
    deploy(workspace, "shop", "adult/1", canary="10%")
    assert [deployments_rollback(workspace, "shop").champion for _ in range(3)] == ["adult/3", "adult/2", "adult/1"]
    with pytest.raises(Conflict, match="rolled back itself"):
        deployments_rollback(workspace, "shop")


def test_a_shadow_goes_and_what_answers_stays(workspace: Workspace) -> None:
    deploy(workspace, "shop", "adult/1", log="10%", keep=30)
    deploy(workspace, "shop", "adult/2")
    deploy(workspace, "shop", "adult/3", shadow=True)
    after = deployments_rollback(workspace, "shop", shadow=True, reason="no use")
    assert (after.traffic, after.shadow, after.log, after.keep) == ({"adult/2": 1.0}, None, 0.1, 30)
    with pytest.raises(Conflict, match="no shadow"):
        deployments_rollback(workspace, "shop", shadow=True)
    assert deployments_rollback(workspace, "shop").champion == "adult/1"


def test_settings_alone_move_no_version(workspace: Workspace) -> None:
    """Who says how long the log is kept ends no canary, and brings no other champion."""
    deploy(workspace, "adult", "adult/2")
    deploy(workspace, "adult", "adult/3", canary="10%")
    before = deploy(workspace, "adult", "adult/1", shadow=True)
    after = deploy(workspace, "adult", keep=7, log="50%")
    assert (after.traffic, after.shadow) == (before.traffic, "adult/1")
    assert (after.keep, after.log) == (7, 0.5)


def test_a_shadow_comes_out_of_the_shadow(workspace: Workspace) -> None:
    deploy(workspace, "shop", "adult/1")
    assert deploy(workspace, "shop", "adult/2", shadow=True).shadow == "adult/2"
    promoted = deployments_promote(workspace, "shop")
    assert (promoted.traffic, promoted.shadow) == ({"adult/2": 1.0}, None)
    with pytest.raises(Conflict, match="neither a canary nor a shadow"):
        deployments_promote(workspace, "shop")


@pytest.mark.parametrize(
    ("name", "model", "options", "error"),
    [
        ("new", "adult/1", {"canary": "5%"}, NotFound),
        ("new", "adult/1", {"shadow": True}, NotFound),
        ("shop", "adult/2", {"canary": "5%", "shadow": True}, InputError),
        ("shop", "adult/2", {"canary": "150%"}, InputError),
        ("shop", "adult/2", {"canary": "some"}, InputError),
        ("shop", "adult/2", {"canary": "0"}, InputError),
        ("shop", "adult/1", {"canary": "5%"}, InputError),
        ("shop", "adult/1", {"shadow": True}, InputError),
        ("shop", "adult/2", {"log": "much"}, InputError),
        ("shop", "adult/2", {"keep": 0}, InputError),
        ("shop", "adult/9", {}, NotFound),
        ("../shop", "adult/1", {}, InputError),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    workspace: Workspace, name: str, model: str, options: dict[str, Any], error: type[Exception]
) -> None:
    before = deploy(workspace, "shop", "adult/1")
    with pytest.raises(error):
        deploy(workspace, name, model, **options)
    assert deployments_list(workspace) == (before,)


def test_versions_that_cannot_answer_for_each_other_share_no_traffic(workspace: Workspace) -> None:
    register(workspace, "price", small.NUMBER)
    register(workspace, "grown", replace(small.BINARY, classes=("low", "middle")))
    deploy(workspace, "shop", "adult/1")
    for other in ("price", "grown"):
        with pytest.raises(InputError, match="cannot answer for each other"):
            deploy(workspace, "shop", other, canary="5%")
    assert deploy(workspace, "shop", "price").champion == "price/1", "as the champion it may"


def test_who_changes_what_another_has_changed_is_told(workspace: Workspace) -> None:
    seen = deploy(workspace, "shop", "adult/1")
    deploy(workspace, "shop", "adult/2")
    with pytest.raises(Conflict, match="meanwhile"):
        workspace.deployments.set("shop", {"adult/3": 1.0}, expected=seen)


def test_feedback_from_a_file_meets_its_predictions(workspace: Workspace, tmp_path: Path) -> None:
    """Sent twice it is the same; the columns may have other names; export and erasure see labels too."""
    deploy(workspace, "shop", "adult/1")
    log(workspace, "a", "b")
    log(workspace, "c", subject="alice")
    file = tmp_path / "truth.csv"
    file.write_text("id,income\na,high\nc,low\nunknown,low\n")
    for _ in range(2):
        stored = feedback(workspace, "shop", str(file), request_id="id", label="income")
        assert (stored.labels, stored.matched) == (3, 2)
    assert workspace.labels.joined("shop").select(["request_id", "label"]).to_pylist() == [
        {"request_id": "a", "label": "high"},
        {"request_id": "c", "label": "low"},
    ]
    written = predictions_export(workspace, "shop", tmp_path / "log.parquet", labelled=True)
    assert (written.rows, written.columns[-2:]) == (2, ("label", "label_moment"))
    assert predictions_export(workspace, "shop", tmp_path / "log.csv", until="2020-01-01").rows == 0
    assert predictions_erase(workspace, "alice").predictions == 1
    assert workspace.labels.joined("shop")["request_id"].to_pylist() == ["a"]


def test_who_removes_a_deployment_says_what_becomes_of_its_log(workspace: Workspace, tmp_path: Path) -> None:
    """Kept, it can be exported and, later, erased by the same command; with nothing logged nobody is asked."""
    deploy(workspace, "quiet", "adult/1")
    assert deployments_remove(workspace, "quiet").kept == 0
    deploy(workspace, "shop", "adult/1")
    log(workspace, "a", "b")
    workspace.labels.add("shop", ["a"], None, ["high"])
    with pytest.raises(Conflict, match="--log erase"):
        deployments_remove(workspace, "shop")
    assert deployments_remove(workspace, "shop", log="keep", reason="closed").kept == 3
    assert predictions_export(workspace, "shop", tmp_path / "log.parquet").rows == 2
    erased = deployments_remove(workspace, "shop", log="erase")
    assert (erased.predictions, erased.labels, erased.kept) == (2, 1, 0)
    with pytest.raises(NotFound):
        predictions_export(workspace, "shop", tmp_path / "none.parquet")
    assert [one.action for one in workspace.audit.entries(subject="deployment/shop")][-3:] == [
        "deployment.change",
        "labels.erase",
        "predictions.erase",
    ]


@pytest.mark.long
def test_a_yes_tells_what_moved_and_what_was_left_alone(workspace: Workspace) -> None:
    """With the command that moves each: a canary under way, the challenger itself as one, and another version."""
    workspace.models.set_alias("adult", "champion", 1)
    for name in ("shop", "trial", "own"):
        deploy(workspace, name, "adult/1")
    deploy(workspace, "trial", "adult/2", canary="5%")
    deploy(workspace, "own", "adult/3", canary="5%")
    deploy(workspace, "other", "adult/2")
    register(workspace, "price", small.NUMBER)
    deploy(workspace, "price", "price/1")
    promotion = {"champion": "adult/1", "challenger": "adult/3", "deployment": None}
    asked = workspace.approvals.ask("promote", "adult", "adult/3", seconds=60, detail=promotion)
    yes = approvals_approve(workspace.acting("bob"), asked.id)
    assert yes.promoted.left_alone == ("own", "trial")
    first, *others = yes.note.split("; ")
    assert first == "adult/3 took over: the alias champion, shop"
    assert [one.split(", ")[0] for one in others] == ["left alone: other", "left alone: own", "left alone: trial"]
    assert "adult/2 answers and not adult/1" in others[0]
    assert "(luban deployments promote own lets it answer everything)" in others[1]
    assert "canary adult/2 is under way" in others[2]
    assert "(luban deploy trial adult/3 moves it)" in others[2]
    assert deployments_promote(workspace, "own").champion == "adult/3"
    assert deploy(workspace, "trial", "adult/3").traffic == {"adult/3": 1.0}


@pytest.mark.long
def test_labels_that_meet_no_prediction_are_told(workspace: Workspace) -> None:
    """With what may be the reason, of this deployment; once the predictions are there nothing is said."""
    deploy(workspace, "shop", "adult/1", log="10%", keep=30)
    rows = [{"request_id": "甲-1", "label": "high"}, {"request_id": "%E4%B9%99-1", "label": "low"}]
    alone = feedback(workspace, "shop", rows)
    assert (alone.labels, alone.matched) == (2, 0)
    for words in ("2 of 2 labels", "'request_id'", "only 0.1 of the requests", "after 30 days", "not written them yet"):
        assert words in alone.note
    log(workspace, "甲-1")
    assert (feedback(workspace, "shop", rows).matched, feedback(workspace, "shop", rows[:1]).note) == (1, "")
    log(workspace, "乙-1")
    met = feedback(workspace, "shop", rows)
    assert (met.matched, met.note) == (2, "")
    other = feedback(workspace, "shop", [{**one, "row": 1} for one in rows])
    assert other.matched == 0
    assert "'row' does not count the rows of a request from 0" in other.note


@pytest.mark.long
def test_of_a_long_log_the_newest_rows_are_looked_at(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is said: a label for an older one is no mistake."""
    monkeypatch.setattr("luban.operations.feedback.LOOKED", 2)
    deploy(workspace, "shop", "adult/1")
    for place, name in enumerate("abc"):
        log(workspace, name, moment=datetime(2026, 6, 1, 12, place, tzinfo=UTC))
    found = feedback(workspace, "shop", [{"request_id": "a", "label": "high"}])
    assert found.matched == 0
    assert "the newest 2 of 3 logged predictions" in found.note


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"request_id": "a", "label": "middling"}], "no class"),
        ([{"request_id": "a", "label": "low"}, {"request_id": "b", "label": None}], "missing label"),
        ([{"request_id": "a", "label": "low", "row": "first"}], "no place of a row"),
        ([{"request_id": "a"}], "no column is named"),
    ],
)
def test_labels_that_cannot_be_true_are_refused(workspace: Workspace, rows: list[dict[str, Any]], words: str) -> None:
    deploy(workspace, "shop", "adult/1")
    with pytest.raises((InputError, NotFound), match=words):
        feedback(workspace, "shop", rows)
    assert workspace.labels.count("shop") == 0


def test_labels_take_the_kind_of_the_predictions(workspace: Workspace) -> None:
    """Whole numbers, text and truth as the model has them, whatever a file made of them."""
    register(workspace, "sizes", small.THREE)
    register(workspace, "price", small.NUMBER)
    for name, given, expected in (
        ("sizes", ["1", "3"], [1, 3]),
        ("sizes", [1.0, 3.0], [1, 3]),
        ("price", ["1.5", "2"], [1.5, 2.0]),
    ):
        deploy(workspace, name, name)
        feedback(workspace, name, [{"request_id": str(n), "label": one} for n, one in enumerate(given)])
        assert workspace.labels.read(name)["label"].to_pylist() == expected
