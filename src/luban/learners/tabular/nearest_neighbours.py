"""k nearest neighbours with weights that fall smoothly to zero at the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Integer
from luban.learners import link
from luban.learners.payloads import Arrays, write_arrays
from luban.learners.tabular import monotonic
from luban.learners.tabular.encoded import EncodedModel, encode, read_model, split_parameters
from luban.learners.tabular.suitability import at_most, unreadable
from luban.modalities.tabular.options import NETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples, Graph
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task

DEFAULTS: Mapping[str, Any] = {"neighbours": 20}
_ROWS, _CELLS = 20_000, 2_000_000
_PRIOR = 1.0  # how many neighbours the class frequencies weigh
_DOUBLE = 11  # TensorProto.DOUBLE
_FILE = "neighbours.npz"


@dataclass(frozen=True, kw_only=True)
class NeighboursKernel:
    """The training rows themselves.

    A neighbour at distance d weighs (1 - d^2 / r^2)^2, where r is the distance of the first row that is no
    neighbour any more (the biweight kernel): which of two equally distant rows comes in makes no difference.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (n, features), float32.
    values : numpy.ndarray
        Shape (n, K) one-hot for classes, (n, 1) for regression; float64.
    prior : numpy.ndarray
        Shape (K,), class frequencies, or (1,), the mean; float64.
    neighbours : int
        Less than n.
    """

    task: Task
    rows: np.ndarray
    values: np.ndarray
    prior: np.ndarray
    neighbours: int

    def margins(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithms of the weighted frequencies, or the weighted means."""
        chunk = max(1, 4_000_000 // len(self.rows))
        parts = [self._means(features[start : start + chunk]) for start in range(0, len(features), chunk)]
        means = np.concatenate([np.zeros((0, len(self.prior))), *parts])
        return link.margins(self.task, means) if self.task.classifies else means

    def _means(self, features: np.ndarray) -> np.ndarray:
        points, rows = features.astype(np.float64), self.rows.astype(np.float64)
        squared = (points**2).sum(axis=1)[:, None] - 2.0 * points @ rows.T + (rows**2).sum(axis=1)
        nearest = np.argpartition(squared, self.neighbours, axis=1)[:, : self.neighbours + 1]
        distances = np.maximum(np.take_along_axis(squared, nearest, axis=1), 0.0)
        radius = distances.max(axis=1, keepdims=True) + 1e-12
        weights = (1.0 - distances / radius) ** 2
        total = (weights[:, :, None] * self.values[nearest]).sum(axis=1)
        return np.asarray((total + _PRIOR * self.prior) / (weights.sum(axis=1, keepdims=True) + _PRIOR))

    def save(self) -> Mapping[str, bytes]:
        """Return the rows."""
        count = np.array([self.neighbours])
        return {_FILE: write_arrays(rows=self.rows, values=self.values, prior=self.prior, neighbours=count)}

    def to_graph(self, graph: Graph, features: str) -> str:
        """Add the search over all rows, in double precision as with NumPy."""

        def number(value: float) -> str:
            return graph.constant(np.array(value, dtype=np.float64))

        rows = self.rows.astype(np.float64)
        axis = graph.constant(np.array([1], dtype=np.int64))
        points = graph.node("Cast", features, to=_DOUBLE)
        products = graph.node("Mul", graph.node("MatMul", points, graph.constant(rows.T)), number(-2.0))
        own = graph.node("ReduceSum", graph.node("Mul", points, points), axis, keepdims=1)
        squared = graph.node("Add", graph.node("Add", own, products), graph.constant((rows**2).sum(axis=1)))
        count = graph.constant(np.array([self.neighbours + 1], dtype=np.int64))
        near, nearest = graph.node("TopK", squared, count, outputs=2, axis=1, largest=0, sorted=1)
        distances = graph.node("Max", near, number(0.0))
        radius = graph.node("Add", graph.node("ReduceMax", distances, axis, keepdims=1), number(1e-12))
        short = graph.node("Sub", number(1.0), graph.node("Div", distances, radius))
        weights = graph.node("Mul", short, short)
        values = graph.node("Gather", graph.constant(self.values), nearest, axis=0)
        last = graph.constant(np.array([2], dtype=np.int64))
        weighted = graph.node("Mul", graph.node("Unsqueeze", weights, last), values)
        total = graph.node("ReduceSum", weighted, axis, keepdims=0)
        numerator = graph.node("Add", total, graph.constant(_PRIOR * self.prior))
        denominator = graph.node("Add", graph.node("ReduceSum", weights, axis, keepdims=1), number(_PRIOR))
        mean = graph.node("Cast", graph.node("Div", numerator, denominator), to=1)  # TensorProto.FLOAT
        return link.margins_to_graph(self.task, graph, mean) if self.task.classifies else str(mean)


class NearestNeighboursLearner:
    """Predicts from the most similar training rows: numbers scaled robustly, categories one-hot."""

    name = "nearest_neighbours"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:  # noqa: ARG002
        """Return whether the rows are few enough to be kept and searched."""
        unheld = unreadable(schema) or monotonic.refused(task, "neighbours know no direction")
        if unheld is not None:
            return unheld
        if task.kind == "quantile":
            return Unsuitable("it predicts means, not quantiles")
        if rows < 4:
            return Unsuitable(f"{rows} rows have too few neighbours")
        few = at_most("rows", rows, _ROWS)
        return few if isinstance(few, Unsuitable) else at_most("cells", rows * len(schema.inputs), _CELLS)

    def suggestions(self, task: Task) -> list[Suggestion]:  # noqa: ARG002
        """Return one, last of all."""
        return [Suggestion(order=95)]

    def space(self, task: Task, schema: Schema) -> Space:  # noqa: ARG002
        """Return the number of neighbours."""
        return {"neighbours": Integer(3, 100, log=True)}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,  # noqa: ARG002 - there are no rounds
    ) -> EncodedModel:
        """Keep the rows; their weights count in the prior alone."""
        own, options = split_parameters(parameters, DEFAULTS, NETS)
        encoding, matrix, _ = encode(task, schema, training, validation, options, effort.seed)
        if task.classifies:
            values = np.eye(len(task.classes))[training.target]
        else:
            values = training.target.astype(np.float64)[:, None]
        prior = np.average(values, axis=0, weights=training.weight)
        neighbours = min(int(own["neighbours"]), len(matrix) - 1)
        kernel = NeighboursKernel(task=task, rows=matrix, values=values, prior=prior, neighbours=neighbours)
        return EncodedModel(learner=self.name, task=task, encoding=encoding, kernel=kernel, learned={})

    def load(self, payloads: Mapping[str, bytes]) -> EncodedModel:
        """Return the model that was saved."""

        def kernel(task: Task, features: int) -> NeighboursKernel:
            arrays, width = Arrays(payloads, _FILE), task.outputs
            rows = arrays.take("rows", "float32", (None, features))
            count = arrays.indices("neighbours", (1,), least=1, below=len(rows))
            return NeighboursKernel(
                task=task,
                rows=rows,
                values=arrays.take("values", "float64", (len(rows), width)),
                prior=arrays.take("prior", "float64", (width,)),
                neighbours=int(count[0]),
            )

        model: EncodedModel = read_model(self.name, payloads, kernel, EncodedModel)
        return model
