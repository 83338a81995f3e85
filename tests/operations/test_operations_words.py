"""What a verb says to a user who is new to it, and what it writes for spreadsheet programs."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from luban.core import plugins
from luban.core.errors import Conflict, InputError, NotFound
from luban.data import read
from luban.operations.data.clean import data_clean
from luban.operations.data.import_ import data_import
from luban.operations.data.show import data_show
from luban.operations.data.split import data_split
from luban.operations.export import export
from luban.operations.fit import fit
from luban.operations.fitting import finish as finishing
from luban.operations.predict import predict
from luban.search import study

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

ROWS: list[dict[str, Any]] = [
    {"编号": f"客{i}", "a": i % 7, "b": i % 5, "y": "是" if i % 7 > 3 else "否"} for i in range(80)
]
QUICK: dict[str, Any] = {"target": "y", "rounds": 1, "learners": ("linear",), "name": "small"}


def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.csv"
    path.write_text("a,b\n" + "1,2\n" * 20 + "1,2,3\n" + "4,5\n" * 20)
    return str(path)


def test_rows_of_the_wrong_width_can_be_left_out_as_the_error_says(workspace: Workspace, tmp_path: Path) -> None:
    path = broken(tmp_path)
    with pytest.raises(InputError, match="--bad-rows skip"):
        data_import(workspace, path)
    assert "bad_rows" in {parameter.name for parameter in data_import.parameters}
    assert data_import(workspace, path, bad_rows="skip").rows == 40


@pytest.mark.parametrize(
    "verb",
    [data_show, data_split, lambda workspace, data: data_clean(workspace, data, ("duplicates",))],
    ids=["show", "split", "clean"],
)
def test_verb_of_data_sets_tells_how_to_import_a_file(workspace: Workspace, tmp_path: Path, verb: Any) -> None:
    path = broken(tmp_path)
    with pytest.raises(InputError, match=f"luban data import {path} --name broken"):
        verb(workspace, path)


def test_name_of_neither_file_nor_data_set_finds_the_nearest_of_both(workspace: Workspace) -> None:
    data_import(workspace, ROWS, name="telco_test")
    made = fit(workspace, "telco_test", **QUICK)
    for wrong in (lambda: predict(workspace, made.model, "telco_tset"), lambda: fit(workspace, "telco_tset", **QUICK)):
        with pytest.raises(NotFound, match=r"neither a file nor a data set.*telco_test"):
            wrong()


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("aucroc", "named roc_auc"),
        ("logloss", "named log_loss"),
        ("acc", "named accuracy"),
        ("f1score", "named f1"),
        ("MSE", "named rmse"),
        ("acuracy", "Did you mean accuracy"),
        ("goodness", "For a binary task: .*roc_auc"),
    ],
)
def test_unknown_metric_is_understood_or_those_of_the_task_are_listed(
    workspace: Workspace, metric: str, words: str
) -> None:
    with pytest.raises(NotFound, match=words):
        fit(workspace, ROWS, metric=metric, **QUICK)
    assert workspace.datasets.list() == []


def test_required_options_are_described_with_an_example() -> None:
    """The face that misses one shows its description: `export needs output. ...`."""
    operations = [plugins.load("operations", name) for name in plugins.names("operations")]
    required = [one for operation in operations for one in operation.parameters if one.required and not one.positional]
    assert [one.name for one in export.parameters if one in required] == ["output"]
    assert all("such as `-" in one.description for one in required)


def test_array_is_said_to_have_no_column_names(workspace: Workspace) -> None:
    rows = np.column_stack([np.arange(40.0) % 7, np.arange(40.0) % 2])
    with pytest.raises(InputError, match=r"no column names.*shape \(40, 2\)"):
        fit(workspace, rows, **QUICK)


def test_columns_are_kept_and_a_spreadsheet_reads_the_file(workspace: Workspace, tmp_path: Path) -> None:
    made = fit(workspace, ROWS, **QUICK)
    path = tmp_path / "out.csv"
    done = predict(workspace, made.model, ROWS, output=path, keep=("编号",))
    assert done.columns == ("编号", "prediction", "probability_否", "probability_是")
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    again = read.table(str(path))
    assert tuple(again.column_names) == done.columns
    assert again["编号"].to_pylist() == [row["编号"] for row in ROWS]
    with pytest.raises(NotFound, match="编号"):
        predict(workspace, made.model, ROWS, keep=("编码",))
    with pytest.raises(InputError, match="cannot be kept"):
        predict(workspace, made.model, [{**row, "prediction": 1} for row in ROWS], keep=("prediction",))


def test_file_of_ascii_alone_has_no_byte_order_mark(workspace: Workspace, tmp_path: Path) -> None:
    rows = [{"a": row["a"], "b": row["b"], "y": "yes" if row["y"] == "是" else "no"} for row in ROWS]
    path = tmp_path / "out.csv"
    predict(workspace, fit(workspace, rows, **QUICK).model, rows, output=path)
    assert path.read_bytes().startswith(b'"prediction"')


def test_interrupted_fit_is_recorded_so_and_is_complete(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study.run_study
    monkeypatch.setattr(study, "run_study", lambda **given: replace(whole(**given), interrupted=True))
    made = fit(workspace, ROWS, **QUICK)
    assert made.interrupted
    run = workspace.runs.get(made.run)
    assert (run.state, workspace.runs.tags(run.id)["model"]) == ("interrupted", made.model)
    with pytest.raises(Conflict, match="small/1"):
        fit(workspace, resume=made.run)


@pytest.mark.parametrize(("learner", "bare"), [("constant", True), ("linear", False)])
def test_fit_that_came_no_further_than_the_baseline_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, learner: str, bare: bool
) -> None:
    asked = finishing._bare
    monkeypatch.setattr(
        finishing, "_bare", lambda result, report, name, plan: asked(result, report, name, replace(plan, deadline=1e12))
    )
    made = fit(workspace, ROWS, **QUICK | {"learners": (learner,)})
    assert any(note.startswith("Only the baseline stands") for note in made.notes) == bare
