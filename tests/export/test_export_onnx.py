"""From a fitted model to ONNX bytes: outputs, parity, refusals and the folder that is written."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import small_models as small
from luban.core.errors import NotFound, Unavailable, Unsupported
from luban.core.model import Signature
from luban.core.protocols import Examples, Suitable, Unsuitable
from luban.core.serial import from_json
from luban.core.task import Task
from luban.export.onnx import members
from luban.export.onnx.build import build
from luban.export.onnx.exporter import OnnxExporter
from luban.export.onnx.parity import LIMIT, parity
from luban.learners.graph.columns import feeds

ROWS = small.random_table(500)
EXAMPLES = Examples(table=ROWS, target=np.zeros(500))


def run(graph: bytes, rows=ROWS) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds(rows, small.COLUMNS)), strict=True))


@pytest.mark.parametrize("task", [small.BINARY, small.THREE, small.NUMBER, small.QUANTILES], ids=lambda task: task.kind)
def test_parity_holds_for_every_kind_of_task(task: Task) -> None:
    fitted = small.fitted(task, temperature=1.7 if task.classes else 1.0)
    assert parity(fitted, build(fitted), ROWS) < 1e-6


def test_labels_are_those_of_the_greatest_probability() -> None:
    found = run(build(small.fitted(small.THREE)))
    assert found["prediction"].dtype == np.int64
    assert (found["prediction"] == found["probabilities"].argmax(axis=1) + 1).all()
    assert len(set(found["prediction"].tolist())) > 1


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_the_threshold_decides_the_label(threshold: float) -> None:
    found = run(build(small.fitted(small.BINARY, threshold=threshold)))
    expected = np.where(found["probabilities"][:, 1] >= threshold, "high", "low")
    assert (found["prediction"] == expected).all()
    assert set(expected) == {"high", "low"}


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [((False, True), np.bool_), ((0.5, 1), np.float64), (("a", 1), np.object_), ((3, 7), np.int64)],
)
def test_labels_keep_their_type(classes, dtype) -> None:
    task = Task(kind="binary", target="t", inputs=small.NAMES, metric="roc_auc", classes=classes)
    found = run(build(small.fitted(task)))["prediction"]
    assert found.dtype == dtype
    assert set(found.tolist()) <= {str(one) if dtype is np.object_ else one for one in classes}


def test_quantiles_predict_the_median() -> None:
    found = run(build(small.fitted(small.QUANTILES)))
    assert (found["prediction"] == found["quantiles"][:, 1]).all()
    assert found["prediction"].shape == (500,)


def test_metadata_say_what_the_model_is() -> None:
    fitted = small.fitted(small.BINARY)
    properties = {one.key: one.value for one in onnx.load_from_string(build(fitted)).metadata_props}
    assert from_json(Signature, json.loads(properties["luban.signature"])) == fitted.signature
    assert from_json(Task, json.loads(properties["luban.task"])) == fitted.task
    assert json.loads(properties["luban.classes"]) == ["low", "high"]


def test_building_twice_gives_the_same_bytes() -> None:
    fitted = small.fitted(small.BINARY)
    assert build(fitted) == build(fitted)


def test_members_share_the_preparation_of_a_column() -> None:
    one = small.ByHand(task=small.BINARY)
    other = small.ByHand(task=small.BINARY, slope=0.1)
    model = onnx.load_from_string(build(small.fitted(small.BINARY, one, other)))
    assert [node.op_type for node in model.graph.node].count("LabelEncoder") == 2  # one a column, not one a member


class Silent:
    learner = "silent"


def test_a_model_without_the_ability_is_named() -> None:
    fitted = replace(small.fitted(small.BINARY), model=Silent())
    with pytest.raises(Unsupported, match="silent"):
        build(fitted)
    assert isinstance(OnnxExporter().supports(fitted), Unsuitable)


class Wide(small.ByHand):
    def to_graph(self, graph):
        return graph.node("Concat", graph.column("age"), graph.column("age"), axis=1)


def test_an_output_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(Unsupported, match=r"shape \(n, 1\)"):
        build(small.fitted(small.NUMBER, Wide(task=small.NUMBER)))


# --- the exporter ---------------------------------------------------------------------------------


def test_the_folder_runs_with_onnxruntime_and_numpy_alone(tmp_path: Path) -> None:
    fitted = small.fitted(small.BINARY, threshold=0.4)
    done = OnnxExporter().export(fitted, str(tmp_path / "out"), EXAMPLES)
    assert done["parity"] <= LIMIT
    assert done["rows"] == 500
    assert Path(done["path"]).read_bytes() == build(fitted)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "README.md",
        "example.py",
        "model.onnx",
        "signature.json",
    ]
    rows = [
        {"age": 60, "colour": "red", "member": False, "since": "2020-01-01", "note": None},
        {"age": None, "colour": "blue", "member": True, "since": None},
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    # A stranger's program: nothing of Luban can be imported.
    guard = "import sys; sys.modules['luban'] = None; import runpy; sys.argv = sys.argv[1:]; "
    command = [sys.executable, "-c", guard + "runpy.run_path(sys.argv[0], run_name='__main__')"]
    example = str(tmp_path / "out" / "example.py")
    found = json.loads(
        subprocess.run([*command, example, str(tmp_path / "rows.json")], check=True, capture_output=True).stdout
    )
    expected = fitted.model.predict(
        small.table(
            [
                {**rows[0], "member": "false", "since": np.datetime64("2020-01-01", "us").item()},
                {"colour": "blue", "member": "true"},
            ]
        )
    )
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
    assert found["prediction"] == ["high" if one[1] >= 0.4 else "low" for one in expected]
    typical = json.loads(subprocess.run([*command, example], check=True, capture_output=True).stdout)
    assert len(typical["prediction"]) == 1


def test_the_example_names_unknown_columns_takes_one_object_and_writes_labels_as_they_are(tmp_path: Path) -> None:
    fitted = small.fitted(replace(small.BINARY, classes=("否", "是")))
    OnnxExporter().export(fitted, str(tmp_path), EXAMPLES)

    def ask(rows: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        command = [sys.executable, str(tmp_path / "example.py"), str(tmp_path / "rows.json")]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)

    one = ask({"agee": 60, "colour": "red"})
    assert "agee" in one.stderr.split("Not given")[0]
    assert "age" in one.stderr.split("Not given")[1]
    assert '"否"' in one.stdout or '"是"' in one.stdout
    assert len(json.loads(one.stdout)["prediction"]) == 1
    wrong = ask([1, 2])
    assert (wrong.returncode, wrong.stderr.startswith("The rows must be a list of objects")) == (1, True)


def test_the_signature_shows_no_row_of_the_examples(tmp_path: Path) -> None:
    OnnxExporter().export(small.fitted(small.NUMBER), str(tmp_path), EXAMPLES)
    example = json.loads((tmp_path / "signature.json").read_text())["example"]
    assert example["note"] == ""
    assert example not in ROWS.to_pylist()


def test_a_member_that_cannot_be_converted_is_named_and_the_rest_is_offered(tmp_path: Path) -> None:
    fitted = small.fitted(small.BINARY, small.ByHand(task=small.BINARY), small.NoGraph(task=small.BINARY, slope=0.1))
    answer = OnnxExporter().supports(fitted)
    assert isinstance(answer, Unsuitable)
    assert "no_graph" in answer.reason
    with pytest.raises(Unsupported) as caught:
        OnnxExporter().export(fitted, str(tmp_path / "out"), EXAMPLES)
    text = str(caught.value)
    assert "no_graph cannot be written as ONNX" in text
    assert "looks its neighbours up" in text
    assert "ensemble of by_hand converts" in text
    assert "On 500 rows its predictions differ" in text
    assert not (tmp_path / "out").exists()
    done = OnnxExporter().export(fitted, str(tmp_path / "out"), EXAMPLES, without=["no_graph"])
    assert done["members"] == ["by_hand"]
    assert done["left_out"] == ["no_graph"]
    difference = np.abs(fitted.model.predict(ROWS) - fitted.model.members[0].predict(ROWS)).max()
    assert done["difference"] == pytest.approx(difference)
    assert done["parity"] <= LIMIT


def test_a_member_whose_graph_answers_otherwise_is_refused_by_name(tmp_path: Path) -> None:
    fitted = small.fitted(small.BINARY, small.ByHand(task=small.BINARY), small.WrongGraph(task=small.BINARY))
    assert isinstance(OnnxExporter().supports(fitted), Suitable)
    with pytest.raises(Unsupported) as caught:
        OnnxExporter().export(fitted, str(tmp_path / "out"), EXAMPLES)
    assert "the ONNX graph of wrong_graph does not answer" in str(caught.value)
    assert "by_hand alone" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_wrong_numbers_are_refused_in_proportion_to_their_spread(tmp_path: Path) -> None:
    fitted = small.fitted(small.NUMBER, small.WrongGraph(task=small.NUMBER))
    with pytest.raises(Unsupported, match="wrong_graph"):
        OnnxExporter().export(fitted, str(tmp_path), EXAMPLES)


def test_nothing_can_stand_in_for_the_only_member(tmp_path: Path) -> None:
    fitted = small.fitted(small.BINARY, small.NoGraph(task=small.BINARY))
    with pytest.raises(Unsupported, match="No other member"):
        OnnxExporter().export(fitted, str(tmp_path), EXAMPLES)


def test_leaving_out_a_member_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    twice = small.fitted(small.BINARY, small.ByHand(task=small.BINARY), small.ByHand(task=small.BINARY, slope=0.1))
    assert members.names(twice) == ("by_hand", "by_hand-2")
    with pytest.raises(NotFound, match="by_hand-2"):
        OnnxExporter().export(twice, str(tmp_path), without=["by_hand-3"])


def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file"):
        OnnxExporter().export(small.fitted(small.NUMBER), str(tmp_path / "file" / "out"))
