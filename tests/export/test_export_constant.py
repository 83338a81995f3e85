"""A model that reads nothing leaves as ONNX whatever its inputs are: pictures, sounds, and the words of texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.export.onnx.build import build
from luban.export.onnx.parity import measure
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.serving.runtime import Runtime


def constant(kind: Any, column: Column, values: list[str | None], target: np.ndarray) -> tuple[Any, pa.Table]:
    """Return a fitted constant over one column, and its rows."""
    classes = ("a", "b", "c") if kind != "regression" else ()
    metric = {"regression": "rmse", "tokens": "accuracy"}.get(kind, "log_loss")
    task = Task(kind=kind, target="y", inputs=(column.name,), metric=metric, classes=classes)
    schema, table = Schema(columns=(column,)), pa.table({column.name: pa.array(values, pa.string())})
    examples = Examples(table=table, target=target)
    model = plugins.create("learners", "constant").fit(task, schema, examples, None, parameters={}, effort=Effort())
    return fitted(Composite(members=(model,), weights=(1.0,), task=task), schema), table


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
@pytest.mark.parametrize("medium", ["image", "audio"])
def test_over_pictures_and_sounds(medium: str, kind: str) -> None:
    """No file is opened: the places that are named here do not exist."""
    target = np.array([0, 1, 1, 2]) if kind == "multiclass" else np.array([1.0, 2.0, 2.5, 4.0])
    model, table = constant(kind, Column(name="seen", kind=medium), ["/no/such", None, "/no/such", "x"], target)
    graph = build(model)
    assert measure(model, graph, table).holds
    many = pa.table({"seen": pa.array(["x"] * 50 + [None] * 50, pa.string())})
    assert measure(model, graph, many).rows == 100
    runtime = Runtime.from_fitted(model, graph)
    assert runtime.predict_row({"seen": None})["prediction"] == ("b" if kind == "multiclass" else pytest.approx(2.375))


def test_over_words() -> None:
    """Each word has the shares of the labels, and what is no word has nothing."""
    target = np.array([[0, 1, 1], [2, 1, -1], [-1, -1, -1]])
    model, table = constant(
        "tokens", Column(name="text", kind="text", storage="string words"), ["one two three", "four five", None], target
    )
    graph = build(model)
    assert measure(model, graph, table).holds
    for rows in (table.slice(1, 1), table.slice(2, 1), table.slice(0, 0)):
        assert measure(model, graph, rows).holds, rows
    row = Runtime.from_fitted(model, graph).predict_row({"text": "six seven"})
    assert row["prediction"] == ["b", "b"]


def test_leaves_as_a_program() -> None:
    """What stands before the graph is a preparation that keeps the protocol of all."""
    from luban.core.preparation import Portable
    from luban.testing.preparation import check_preparation

    table = pa.table({"text": ["one two", None, "  ", "a b c"]})
    for words in (False, True):
        made = plugins.load("preparations", "presence")(columns=("text",), words=words)
        check_preparation(made, table)
        assert isinstance(made, Portable)
