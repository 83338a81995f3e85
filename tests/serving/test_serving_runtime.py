"""The runtime: one row and many, through ONNX and in Python, give the same answers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.datasets import load_wine

import luban
import small_models as small
from luban.core.errors import InputError, Tampered
from luban.export.onnx.build import build
from luban.learners import artifact
from luban.operations import loading
from luban.serving.limits import ModelFailed
from luban.serving.runtime import Runtime
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.task import Task

TASKS = [small.BINARY, small.THREE, small.NUMBER, small.QUANTILES]
ROWS = small.random_table(200, seed=3)


def pair(task: Task, **more: float) -> tuple[Runtime, Runtime]:
    fitted = small.fitted(task, **more)
    return Runtime.from_fitted(fitted, build(fitted)), Runtime.from_fitted(fitted)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_the_four_ways_agree(task: Task) -> None:
    """One row or many, ONNX or Python."""
    onnx, python = pair(task)
    table = onnx.predict(ROWS).to_table().to_pydict()
    other = python.predict(ROWS).to_table().to_pydict()
    for name, values in table.items():
        if isinstance(values[0], float):
            np.testing.assert_allclose(values, other[name], atol=2e-6)
        else:
            assert values == other[name]
    for place, row in enumerate(ROWS.to_pylist()[:40]):
        for runtime in (onnx, python):
            found = runtime.predict_row(row)
            assert found["prediction"] == (
                pytest.approx(table["prediction"][place], abs=2e-6) if not task.classes else table["prediction"][place]
            )
            for label, probability in found.get("probabilities", {}).items():
                assert probability == pytest.approx(table[f"probability_{label}"][place], abs=2e-6)
            for level, value in found.get("quantiles", {}).items():
                assert value == pytest.approx(table[f"quantile_{level:g}"][place], abs=2e-6)


def test_unknown_way_with_missing_columns_is_refused() -> None:
    """A misspelt one must neither fail as a defect nor count as fill."""
    runtime = pair(small.BINARY)[0]
    for ask in (runtime.predict_row, runtime.predict, runtime.answer):
        with pytest.raises(InputError, match="missing must be error or fill"):
            ask(ROWS.slice(0, 1).to_pylist()[0], missing="fil")


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_the_threshold_is_the_same_everywhere(threshold: float) -> None:
    onnx, python = pair(small.BINARY, threshold=threshold)
    labels = onnx.predict(ROWS).prediction.to_pylist()
    assert python.predict(ROWS).prediction.to_pylist() == labels
    assert [onnx.predict_row(row)["prediction"] for row in ROWS.to_pylist()] == labels
    assert onnx.answer(ROWS).outputs["prediction"].tolist() == labels


def test_classes_keep_their_types() -> None:
    task = replace(small.BINARY, classes=(False, True))
    onnx, python = pair(task)
    row = ROWS.to_pylist()[0]
    assert type(onnx.predict_row(row)["prediction"]) is bool
    assert type(python.predict_row(row)["prediction"]) is bool
    assert set(onnx.predict_row(row)["probabilities"]) == {False, True}


@pytest.mark.parametrize("engine", [0, 1])
def test_a_bad_row_is_an_error_that_names_the_column(engine: int) -> None:
    runtime = pair(small.BINARY)[engine]
    row = ROWS.to_pylist()[0]
    with pytest.raises(InputError, match="'age'"):
        runtime.predict_row({**row, "age": "old"})
    with pytest.raises(InputError, match="'age'"):
        runtime.predict_row({**row, "age": float("inf")})
    with pytest.raises(InputError, match="'note' is missing"):
        runtime.predict_row({key: value for key, value in row.items() if key != "note"})
    filled = runtime.predict_row({}, missing="fill")
    assert filled == runtime.predict_row(dict.fromkeys(small.NAMES))


def test_a_model_that_fails_on_a_row_without_values_answers_others() -> None:
    """How quick it is is measured on such a row; that it cannot answer it says nothing of rows that have values."""
    fitted = small.fitted(small.NUMBER)
    model = onnx.load_from_string(build(fitted))
    for node in model.graph.node:
        node.output[:] = ["before" if name == "prediction" else name for name in node.output]
    for name, values in (("axis", np.array([1])), ("zero", np.zeros(1, np.float32))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    model.graph.node.extend(
        [
            onnx.helper.make_node("Squeeze", ["age", "axis"], ["flat"]),
            onnx.helper.make_node("Mul", ["flat", "zero"], ["nothing"]),  # NaN where the age is missing
            onnx.helper.make_node("Add", ["before", "nothing"], ["prediction"]),
        ]
    )
    runtime = Runtime.from_fitted(fitted, model.SerializeToString())
    assert not runtime.quick
    with pytest.raises(ModelFailed):
        runtime.predict_row({}, missing="fill")
    expected = Runtime.from_fitted(fitted).predict_row({"age": 40.0}, missing="fill")["prediction"]
    assert runtime.predict_row({"age": 40.0}, missing="fill")["prediction"] == pytest.approx(expected, abs=1e-5)


def test_names_of_no_column_and_another_order_change_nothing() -> None:
    for runtime in pair(small.BINARY):
        row = ROWS.to_pylist()[5]
        turned = {"extra": object(), **dict(reversed(row.items()))}
        assert runtime.predict_row(turned) == runtime.predict_row(row)


def test_frames_and_lists_are_taken() -> None:
    onnx, _ = pair(small.BINARY)
    expected = onnx.predict(ROWS).probabilities
    rows = ROWS.to_pylist()
    np.testing.assert_array_equal(onnx.predict(rows).probabilities, expected)
    np.testing.assert_array_equal(onnx.predict(pd.DataFrame(rows)).probabilities, expected)
    assert len(onnx.predict(ROWS.slice(0, 0))) == 0


def test_many_rows_in_parts_are_the_same_rows() -> None:
    """Beyond the rows of one call of the session, and on several threads."""
    table = small.random_table(40_000, seed=1)
    fitted = small.fitted(small.NUMBER)
    found = Runtime(fitted, build(fitted), threads=2).predict(table).prediction.to_numpy()
    np.testing.assert_allclose(found, fitted.model.predict(table), atol=1e-5)


def test_threads_share_a_runtime() -> None:
    for runtime in pair(small.BINARY):
        rows = ROWS.to_pylist()
        alone = [runtime.predict_row(row) for row in rows]
        together = runtime.answer(ROWS).outputs["probabilities"]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(runtime.predict_row, rows)) == alone
            for found in pool.map(runtime.answer, [ROWS] * 16):
                np.testing.assert_array_equal(found.outputs["probabilities"], together)


@pytest.mark.long
def test_a_session_that_stays_is_compact_and_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in ONNX Runtime's own format and read again; where that cannot be, as it is."""
    from luban.learners.graph import session

    graph = build(small.fitted(small.BINARY))
    monkeypatch.setattr(session, "_WORTH", range(1 << 40))
    rows = ROWS.to_pylist()[:40]
    plain = Runtime.from_fitted(small.fitted(small.BINARY), graph)
    expected, many = [plain.predict_row(row) for row in rows], plain.values(ROWS)
    made = []
    compact = session._compact
    monkeypatch.setattr(session, "_compact", lambda *given: made.append(compact(*given)) or made[-1])
    stays = Runtime(small.fitted(small.BINARY), graph, stays=True, threads=2)
    assert [stays.predict_row(row) for row in rows] == expected
    np.testing.assert_array_equal(stays.values(ROWS), many)
    assert len(made) == 2, "of one row, and of many"

    def full(*_given: object) -> None:
        raise OSError("no room left on the device")

    monkeypatch.setattr(session, "_compact", full)
    stays = Runtime.from_fitted(small.fitted(small.BINARY), graph, stays=True)
    assert [stays.predict_row(row) for row in rows] == expected


@pytest.mark.long
def test_a_stored_model_is_made_in_python_when_something_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers come from the graph; every byte was verified all the same, and what belongs together is checked."""
    wine = load_wine(as_frame=True)
    frame = wine.frame[[*wine.feature_names[:3], "target"]]
    with Workspace.open(tmp_path / ".luban") as workspace:
        luban.fit(frame, target="target", rounds=2, learners=("linear",), name="wine", workspace=workspace)
        loads = []
        read = artifact.read
        monkeypatch.setattr(artifact, "read", lambda *given: loads.append(given) or read(*given))
        kept, whole = loading.runtime(workspace, "wine/1", stays=True), loading.runtime(workspace, "wine/1")
        row = frame.drop(columns="target").iloc[0].to_dict()
        assert kept.predict_row(row) == whole.predict_row(row)
        assert (kept.threshold, len(loads)) == (whole.threshold, 1)
        for one, other in zip(kept.explain([row]), whole.explain([row]), strict=True):
            np.testing.assert_array_equal(one, other)
        kept.explain([row])
        assert len(loads) == 2, "made once, and kept"
        digest = workspace.models.get("wine/1").artifact
        for payload in artifact.read_manifest(workspace.blobs, digest).payloads.values():
            path = workspace.blobs.local(payload.digest)
            content = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            with pytest.raises(Tampered):
                loading.runtime(workspace, "wine/1", stays=True)
            path.write_bytes(content)


@pytest.mark.long
def test_many_rows_are_answered_while_the_python_form_is_made() -> None:
    """To make it may take long; only who asks for it waits."""
    made, asked = threading.Event(), threading.Event()
    whole = small.fitted(small.BINARY)

    def load() -> Any:
        asked.set()
        assert made.wait(180)
        return whole

    stored = artifact.Stored(task=whole.task, signature=whole.signature, threshold=None, manifest={}, load=load)
    runtime = Runtime(stored, build(whole), stays=True, threads=2)
    with ThreadPoolExecutor(2) as pool:
        predicted = pool.submit(runtime.predict, ROWS)
        try:
            assert asked.wait(180)
            assert len(pool.submit(runtime.values, ROWS).result(180)) == ROWS.num_rows
            assert not predicted.done()
        finally:
            made.set()
        assert len(predicted.result(180).prediction) == ROWS.num_rows


@pytest.mark.long
def test_a_version_under_two_names_is_made_once() -> None:
    """What one of them has opened or made, whenever that was, serves the other."""
    whole, loads = small.fitted(small.BINARY), []
    stored = artifact.Stored(
        task=whole.task,
        signature=whole.signature,
        threshold=None,
        manifest={},
        load=lambda: loads.append(whole) or whole,
    )
    runtime = Runtime(stored, build(whole), name="small", stays=True, threads=2)
    other = runtime.named("shop")
    assert (runtime.name, other.name) == ("small", "shop")
    for one in (other, runtime):
        np.testing.assert_array_equal(one.predict(ROWS).prediction, whole.predict(ROWS).prediction)
    assert len(loads) == 1
    assert other._many() is runtime._many()
