"""A model that is an ONNX graph: stored, loaded, run and exported like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import small_models as small
from luban.core.errors import Tampered
from luban.export.onnx.build import build
from luban.export.onnx.parity import measure
from luban.learners import artifact, composite
from luban.learners.composite import Composite
from luban.learners.graph.model import GraphForm, GraphModel
from luban.store.blobs import Blobs
from toy_preparation import Letters, letters_installed  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from luban.core.protocols import Graph
    from luban.core.task import Task

pytestmark = pytest.mark.usefixtures("letters_installed")
ROWS = small.random_table(100, seed=1)


class Counting(small.ByHand):
    """A model by hand that counts the letters of the note on top."""

    def predict(self, rows: pa.Table) -> np.ndarray:
        letters = Letters("note")(rows)["mask"].sum(axis=1)
        return super().predict(rows) + letters

    def to_graph(self, graph: Graph) -> str:
        mask = graph.node("Cast", graph.prepared(Letters("note"))["mask"], to=1)
        letters = graph.node("ReduceSum", mask, graph.constant(np.array([1])), keepdims=1)
        return graph.node("Add", super().to_graph(graph), letters)


def pressed(task: Task, member: object, **more: float) -> tuple[object, object]:
    """Return a model, and the same one as a graph alone."""
    whole = small.fitted(task, member, **more)
    form = GraphModel(task=task, columns=small.COLUMNS, graph=build(whole), learned={"from": "a/1"})
    alone = Composite(members=(form,), weights=(1.0,), task=task, threshold=whole.model.threshold)
    return whole, replace(whole, model=alone)


@pytest.mark.parametrize("task", [small.BINARY, small.THREE, small.NUMBER, small.QUANTILES], ids=lambda one: one.kind)
def test_it_is_stored_and_answers_as_the_model_it_was_made_of(task: Task, tmp_path: Path) -> None:
    whole, alone = pressed(task, small.ByHand(task=task), temperature=1.5 if task.classes else 1.0)
    blobs = Blobs(str(tmp_path))
    again = artifact.read(blobs, artifact.write(blobs, alone))
    expected = whole.model.predict(ROWS)
    np.testing.assert_allclose(again.model.predict(ROWS), expected, atol=2e-6)
    assert again.model.learned == {"0.graph": {"from": "a/1"}}
    assert measure(again, build(again), ROWS).difference < 1e-6  # it can be exported again


def test_its_preparations_travel_with_it(tmp_path: Path) -> None:
    whole, alone = pressed(small.NUMBER, Counting(task=small.NUMBER))
    blobs = Blobs(str(tmp_path))
    again = artifact.read(blobs, artifact.write(blobs, alone))
    np.testing.assert_allclose(again.model.predict(ROWS), whole.model.predict(ROWS), atol=1e-5)
    assert measure(again, build(again), ROWS).holds


def test_damage_is_found_when_it_is_loaded() -> None:
    payloads = dict(pressed(small.BINARY, small.ByHand(task=small.BINARY))[1].model.save())
    graph = "0.graph/model.onnx"
    for name, content in [
        (graph, payloads[graph][:-40]),
        (graph, b""),
        (graph, pressed(small.NUMBER, small.ByHand(task=small.NUMBER))[1].model.save()[graph]),  # of another task
        ("0.graph/graph.json", b"{}"),
    ]:
        with pytest.raises(Tampered):
            composite.load({**payloads, name: content})
    with pytest.raises(Tampered):
        GraphForm().load({})
