"""The baseline that every other learner must beat: the same prediction for every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luban.core.errors import InputError, LubanError, Unsupported
from luban.core.protocols import Suggestion, Suitable
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.data.words import WORDS, counts
from luban.learners import link
from luban.learners.payloads import damaged, read_json, write_json
from luban.modalities.presence.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space


@dataclass(frozen=True, kw_only=True)
class ConstantModel:
    """One prediction for all rows (or words): frequencies of classes or labels, mean or median, quantiles."""

    task: Task
    value: tuple[float, ...]
    learner: str = "constant"

    @property
    def learned(self) -> Mapping[str, Any]:
        """Nothing that a refit would need."""
        return {}

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return the value for each row."""
        if self.task.kind == "tokens":
            words = counts(table[self.task.inputs[0]], WORDS)
            here = np.arange(words.max(initial=0)) < words[:, None]
            return np.where(here[:, :, None], np.array(self.value), np.nan)
        shape = (table.num_rows,) if self.task.kind == "regression" else (table.num_rows, len(self.value))
        return np.broadcast_to(np.array(self.value), shape).copy()

    def save(self) -> Mapping[str, bytes]:
        """Return the one payload."""
        about = {"learner": self.learner, "task": to_json(self.task), "value": list(self.value)}
        return {"model.json": write_json(about)}

    def to_graph(self, graph: Graph) -> str:
        """Add the value, repeated for as many rows as the first input column has, or for each of its words."""
        tensor: str
        value = graph.constant(np.array([self.value], dtype=np.float32))
        if self.task.kind == "tokens":
            present = _present(graph, self.task.inputs[0], words=True)
            each = graph.node("Unsqueeze", present, graph.constant(np.array([2], dtype=np.int64)))
            nothing = graph.constant(np.array(np.nan, dtype=np.float32))
            tensor = graph.node("Where", graph.node("Cast", each, to=9), value, nothing)  # TensorProto.BOOL
            return tensor
        try:
            column = graph.column(self.task.inputs[0])
        except Unsupported:  # pictures and sounds are no tensors of a graph
            column = _present(graph, self.task.inputs[0])
        rows = graph.node("Shape", column, end=1)
        shape = graph.node("Concat", rows, graph.constant(np.array([len(self.value)], dtype=np.int64)), axis=0)
        tensor = graph.node("Expand", value, shape)
        return tensor

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return zeros: no column has a part in it."""
        value = np.array([self.value])
        base = (link.margins(self.task, value) if self.task.classifies else value)[0]
        return np.zeros((table.num_rows, len(self.task.inputs), len(base))), base


class ConstantLearner:
    """Predicts the class frequencies, the mean or the quantiles of the training rows, whatever the inputs."""

    name = "constant"
    kinds = ("binary", "multiclass", "matching", "multilabel", "tokens", "regression", "quantile")

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable:  # noqa: ARG002
        """Return that it takes on everything."""
        return Suitable("a baseline")

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return the only way to do it, before all else."""
        return [Suggestion(order=0)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return nothing to search."""
        return {}

    def fit(
        self,
        task: Task,
        schema: Schema,  # noqa: ARG002
        training: Examples,
        validation: Examples | None,  # noqa: ARG002
        *,
        parameters: Mapping[str, Any],
        effort: Effort,  # noqa: ARG002
        report: Callable[[int, float], bool] | None = None,  # noqa: ARG002
    ) -> ConstantModel:
        """Count, or average."""
        if parameters:
            raise InputError("a constant has no parameters", seen=", ".join(parameters))
        target, weight = training.target, training.weight
        if task.kind == "multilabel":
            value = np.average(target, axis=0, weights=weight)
        elif task.kind == "tokens" or task.classifies:
            rows, known = np.nonzero(target >= 0)[0], target[target >= 0]
            shares = np.bincount(known, weights=None if weight is None else weight[rows], minlength=len(task.classes))
            value = shares / shares.sum()
        elif task.kind == "quantile":
            value = _quantiles(target, task.quantiles, weight)
        elif link.median_wanted(task):
            value = _quantiles(target, (0.5,), weight)
        else:
            value = np.array([np.average(target, weights=weight)])
        return ConstantModel(task=task, value=tuple(value.tolist()))

    def load(self, payloads: Mapping[str, bytes]) -> ConstantModel:
        """Return the model that was saved."""
        about = read_json(payloads, "model.json")
        try:
            task = from_json(Task, about.get("task"))
            value = from_json(_Value, {"value": about.get("value")}).value
        except LubanError as error:
            raise damaged("model.json", str(error)) from error
        if about.get("learner") != self.name or len(value) != task.outputs or not np.isfinite(value).all():
            raise damaged("model.json", f"{about.get('learner')!r} with {len(value)} values for {task.outputs} outputs")
        return ConstantModel(task=task, value=value)


@dataclass(frozen=True, kw_only=True)
class _Value:
    value: tuple[float, ...]


def _present(graph: Graph, column: str, *, words: bool = False) -> str:
    """Return the tensor that tells which values of a column are there, or which words."""
    return graph.prepared(cast("Preparation", Presence(columns=(column,), words=words)))["present"]


def _quantiles(target: np.ndarray, levels: tuple[float, ...], weight: np.ndarray | None) -> np.ndarray:
    if weight is None:
        return np.asarray(np.quantile(target, levels))
    return np.asarray(np.quantile(target, levels, weights=weight, method="inverted_cdf"))
