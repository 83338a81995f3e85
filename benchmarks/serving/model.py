"""The workspace that is served: one small model of ten numbers, and versions of it that a roll-out must survive."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
from onnx import helper, numpy_helper
from sklearn.datasets import load_breast_cancer

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.data.conform import conform
from luban.data.infer import infer_schema
from luban.data.target import labelled_rows
from luban.data.task import infer_task
from luban.export.onnx.build import build
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.operations.loading import GRAPH
from luban.operations.tokens.create import tokens_create
from luban.store import Workspace

if TYPE_CHECKING:
    from pathlib import Path

NAME = "cancer"
DEPLOYMENT = "shop"
GOOD, OTHER, FAILING, HEAVY = (f"{NAME}/{version}" for version in (1, 2, 3, 4))
"""Versions: two that are well, one that answers NaN for 5 % of the rows, one that takes a few milliseconds a call."""

ROWS = 4000
_ROUNDS = 100
_SHARE = 0.05
_WIDTH = 1500  # of the matrices that the heavy version multiplies


@dataclass(frozen=True, kw_only=True)
class Made:
    """What servers and clients of the benchmark share.

    Parameters
    ----------
    root : Path
        The workspace.
    graph : Path
        The model as one ONNX file: ten inputs of shape (n, 1), float32.
    rows : list of dict
        Ten numbers each, all different.
    token : str
        With the scope infer.
    """

    root: Path
    graph: Path
    rows: list[dict[str, float]]
    token: str


def make(folder: Path) -> Made:
    """Return a new workspace in a folder, with the versions, a deployment and a token."""
    table, names = _table()
    found = infer_task(table, infer_schema(table), "target")
    task, schema = found.task, found.schema.select(found.task.inputs)
    kept, target = labelled_rows(task, table["target"])
    inputs = conform(table.take(kept), schema.columns).table
    learner = plugins.create("learners", "lightgbm")
    root = folder / ".luban"
    with Workspace.open(root, actor="benchmark") as workspace:
        for seed in (0, 1):
            parameters = {**learner.suggestions(task)[0].parameters, "rounds": _ROUNDS - seed}
            effort = Effort(deadline=time.monotonic() + 600, threads=2)
            member = learner.fit(
                task, schema, Examples(table=inputs, target=target), None, parameters=parameters, effort=effort
            )
            ready = fitted(Composite(members=(member,), weights=(1.0,), task=task), schema)
            graph = build(ready)
            if seed == 0:
                first, first_graph = ready, graph
            _register(workspace, ready, graph)
        _register(workspace, first, _failing(first_graph, names[0], table[names[0]].to_numpy()))
        _register(workspace, first, _heavy(first_graph, names[0]))
        workspace.deployments.set(DEPLOYMENT, {GOOD: 1.0})
        token = tokens_create(workspace, "benchmark", scopes=("infer", "read"), expires="1d").token
    path = folder / "model.onnx"
    path.write_bytes(first_graph)
    return Made(root=root, graph=path, rows=_rows(table, names), token=token)


def _table() -> tuple[pa.Table, list[str]]:
    data = load_breast_cancer(as_frame=True)
    names = [name.replace(" ", "_") for name in data.feature_names[:10]]
    columns = {name: pa.array(data.frame[old].to_numpy()) for name, old in zip(names, data.feature_names, strict=False)}
    return pa.table({**columns, "target": pa.array(np.where(data.target == 1, "benign", "malignant"))}), names


def _rows(table: pa.Table, names: list[str]) -> list[dict[str, float]]:
    """Return rows of the data, each a little moved so that all of them differ."""
    generator = np.random.default_rng(7)
    values = np.column_stack([table[name].to_numpy() for name in names])
    values = values[generator.integers(0, len(values), ROWS)] * generator.normal(1, 0.01, (ROWS, len(names)))
    return [dict(zip(names, row, strict=True)) for row in values.round(5).tolist()]


def _register(workspace: Workspace, ready: Any, graph: bytes) -> None:
    digest = artifact.write(workspace.blobs, ready, extra={GRAPH: graph})
    workspace.models.register(name=NAME, artifact=digest, signature=ready.signature, task=ready.task)


def _failing(graph: bytes, column: str, values: np.ndarray) -> bytes:
    """Return the graph with NaN in place of the probabilities where a column is among its lowest values."""
    least = np.array([[np.quantile(values, _SHARE)]], dtype=np.float32)
    return _changed(
        graph,
        lambda model, values, given: [
            helper.make_node("Less", [_input(model, column), given(least)], ["bad"]),
            helper.make_node("Where", ["bad", given(np.full((1, 1), np.nan, np.float32)), values], ["probabilities"]),
        ],
    )


def _heavy(graph: bytes, column: str) -> bytes:
    """Return the graph with some milliseconds of multiplications beside it, whose result counts for nothing."""
    generator = np.random.default_rng(0)
    weights = [(generator.normal(size=(_WIDTH, _WIDTH)) / _WIDTH).astype(np.float32) for _ in range(3)]

    def nodes(model: onnx.ModelProto, values: str, given: Any) -> list[onnx.NodeProto]:
        found = [helper.make_node("Expand", [_input(model, column), given(np.array([1, _WIDTH]))], ["wide"])]
        for place, weight in enumerate(weights):
            found.append(
                helper.make_node("MatMul", [f"wide{place - 1}" if place else "wide", given(weight)], [f"wide{place}"])
            )
        axis, nothing = given(np.array([1])), given(np.zeros((1, 1), np.float32))
        return [
            *found,
            helper.make_node("ReduceMean", [f"wide{len(weights) - 1}", axis], ["mean"]),
            helper.make_node("Mul", ["mean", nothing], ["weightless"]),
            helper.make_node("Add", [values, "weightless"], ["probabilities"]),
        ]

    return _changed(graph, nodes)


def _input(model: onnx.ModelProto, column: str) -> str:
    return next(one.name for one in model.graph.input if one.name == column)


def _changed(graph: bytes, nodes: Any) -> bytes:
    """Return a graph whose output ``probabilities`` is what further nodes make of it."""
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "probabilities":
                node.output[place] = "probabilities_before"
        for place, name in enumerate(node.input):
            if name == "probabilities":
                node.input[place] = "probabilities_before"

    def given(values: np.ndarray) -> str:
        name = f"given_{len(model.graph.initializer)}"
        model.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    model.graph.node.extend(nodes(model, "probabilities_before", given))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
