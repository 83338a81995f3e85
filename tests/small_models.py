"""Small models, made by hand, for tests of export and serving: what they answer can be computed on paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from luban.core.errors import Unsupported
from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted

COLUMNS = (
    Column(name="age", kind="number", storage="int64"),
    Column(name="colour", kind="category"),
    Column(name="member", kind="boolean", storage="bool"),
    Column(name="since", kind="date", storage="date32[day]"),
    Column(name="note", kind="text"),
)
NAMES = tuple(column.name for column in COLUMNS)
BINARY = Task(kind="binary", target="income", inputs=NAMES, metric="roc_auc", classes=("low", "high"))
THREE = Task(kind="multiclass", target="size", inputs=NAMES, metric="log_loss", classes=(1, 2, 3))
NUMBER = Task(kind="regression", target="price", inputs=NAMES, metric="rmse")
QUANTILES = Task(kind="quantile", target="price", inputs=NAMES, metric="pinball", quantiles=(0.1, 0.5, 0.9))
YEAR = 365.25 * 86400e6


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return canonical rows."""
    types = {"number": pa.float64(), "date": pa.timestamp("us")}
    schema = pa.schema([(column.name, types.get(column.kind, pa.string())) for column in COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


def random_table(rows: int, seed: int = 0) -> pa.Table:
    """Return canonical rows with missing values of every kind."""
    generator = np.random.default_rng(seed)
    age = generator.normal(40, 15, rows)
    since = generator.integers(0, int(50 * YEAR), rows)
    pick = lambda values: [values[i] for i in generator.integers(0, len(values), rows)]  # noqa: E731
    return pa.table(
        {
            "age": pa.array(
                [None if gone else float(one) for one, gone in zip(age, generator.random(rows) < 0.1, strict=True)]
            ),
            "colour": pa.array(pick(["red", "blue", "grün", None]), pa.string()),
            "member": pa.array(pick(["true", "false", None]), pa.string()),
            "since": pa.array([None if one % 7 == 0 else int(one) for one in since], pa.timestamp("us")),
            "note": pa.array(pick(["hello", "", None]), pa.string()),
        }
    )


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """A linear model of age (0 where missing), being red, being a member and years since 1970."""

    task: Task
    learner: str = "by_hand"
    slope: float = 0.05
    learned: Any = None

    def _margin(self, rows: pa.Table) -> np.ndarray:
        age = np.nan_to_num(rows["age"].to_numpy().astype(np.float32))
        red = np.asarray([one == "red" for one in rows["colour"].to_pylist()], dtype=np.float32)
        member = np.asarray([one == "true" for one in rows["member"].to_pylist()], dtype=np.float32)
        micros = rows["since"].cast(pa.int64()).fill_null(0).to_numpy()
        return self.slope * (age - 40) + red - member + 0.01 * (micros.astype(np.float32) / np.float32(YEAR))

    def predict(self, rows: pa.Table) -> np.ndarray:
        margin = self._margin(rows).astype(np.float64)
        if self.task.kind == "binary":
            positive = 1 / (1 + np.exp(-margin))
            return np.column_stack([1 - positive, positive])
        if self.task.kind == "multiclass":
            powers = np.exp(np.column_stack([margin, 0 * margin, -margin]))
            return powers / powers.sum(axis=1, keepdims=True)
        if self.task.kind == "quantile":
            return np.column_stack([margin - 1, margin, margin + 1])
        return margin

    def save(self) -> dict[str, bytes]:
        return {}

    def to_graph(self, graph: Any) -> str:
        single = lambda value: graph.constant(np.array(value, dtype=np.float32))  # noqa: E731
        age = graph.column("age")
        age = graph.node("Where", graph.node("IsNaN", age), single(0), age)
        flag = {
            name: graph.node(
                "LabelEncoder",
                graph.column(name),
                domain="ai.onnx.ml",
                keys_strings=[one],
                values_floats=[1.0],
                default_float=0.0,
            )
            for name, one in (("colour", "red"), ("member", "true"))
        }
        since = graph.column("since")
        least = graph.constant(np.array(np.iinfo(np.int64).min))
        since = graph.node("Where", graph.node("Equal", since, least), graph.constant(np.array(0)), since)
        years = graph.node("Div", graph.node("Cast", since, to=1), single(YEAR))
        margin = graph.node("Mul", graph.node("Sub", age, single(40)), single(self.slope))
        margin = graph.node("Add", margin, graph.node("Sub", flag["colour"], flag["member"]))
        margin = graph.node("Add", margin, graph.node("Mul", years, single(0.01)))
        if self.task.kind == "binary":
            positive = graph.node("Sigmoid", margin)
            return graph.node("Concat", graph.node("Sub", single(1), positive), positive, axis=1)
        if self.task.kind == "multiclass":
            zero = graph.node("Mul", margin, single(0))
            return graph.node("Softmax", graph.node("Concat", margin, zero, graph.node("Neg", margin), axis=1), axis=1)
        if self.task.kind == "quantile":
            shifted = [graph.node("Add", margin, single(step)) for step in (-1, 0, 1)]
            return graph.node("Concat", *shifted, axis=1)
        return margin


@dataclass(frozen=True, kw_only=True)
class WrongGraph(ByHand):
    """Its graph answers otherwise than it does."""

    learner: str = "wrong_graph"

    def to_graph(self, graph: Any) -> str:
        return replace(ByHand(task=self.task), slope=0.07).to_graph(graph)


@dataclass(frozen=True, kw_only=True)
class NoGraph(ByHand):
    """It cannot be converted."""

    learner: str = "no_graph"

    def to_graph(self, graph: Any) -> str:
        raise Unsupported("no_graph looks its neighbours up in a list, for which ONNX has no operator")


def fitted(task: Task, *members: Any, threshold: float | None = None, temperature: float = 1.0) -> Fitted:
    """Return an ensemble of these members, with equal weights."""
    members = members or (ByHand(task=task),)
    model = Composite(
        members=members,
        weights=tuple([1 / len(members)] * len(members)),
        task=task,
        threshold=threshold,
        temperature=temperature,
    )
    outputs = (Column(name=task.target, kind="category" if task.classes else "number", role="target"),)
    return Fitted(task=task, signature=Signature(inputs=COLUMNS, outputs=outputs), model=model)
