"""How close an ONNX graph's answers are to the model's own, on real rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners.graph.feeding import Feeding
from luban.learners.graph.outputs import value_output, values_of
from luban.learners.graph.session import open_session

if TYPE_CHECKING:
    import pyarrow as pa

LIMIT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A measured difference and the largest one that is taken.

    Parameters
    ----------
    difference : float
        Largest absolute difference of a probability, or of a prediction in the units of the target.
    limit : float
        1e-4 of a probability; for numbers 1e-4 of the predictions' spread (a standard deviation + 1 % of the largest).
    rows : int
        How many rows it was measured on.
    """

    difference: float
    limit: float
    rows: int

    @property
    def holds(self) -> bool:
        """Whether the difference is within the limit (it is not where a value is NaN)."""
        return self.difference <= self.limit


def parity(fitted: Any, graph: bytes, table: pa.Table) -> float:
    """Return the largest absolute difference between the graph's predictions and the model's own.

    Parameters
    ----------
    fitted : Fitted
    graph : bytes
        The graph that `luban.export.onnx.build.build` made of it.
    table : pyarrow.Table
        Canonical rows.
    """
    return measure(fitted, graph, table).difference


def measure(fitted: Any, graph: bytes, table: pa.Table) -> Parity:
    """Return the difference as `parity` does, with the limit that it is held against."""
    expected = np.asarray(fitted.model.predict(table), dtype=np.float64)
    limit = LIMIT
    if not fitted.task.classes and expected.size:
        # The second term is what float32 itself costs where predictions are large and nearly constant.
        limit *= float(np.std(expected)) + 0.01 * float(np.abs(expected).max())
    session = open_session(graph)
    feeding = Feeding(session, fitted.signature.inputs)
    found = values_of(fitted.task, feeding.run(session, [value_output(fitted.task)], table)[0]).reshape(expected.shape)
    return Parity(difference=largest_difference(expected, found), limit=limit, rows=len(expected))


def largest_difference(expected: np.ndarray, found: np.ndarray) -> float:
    """Return the largest absolute difference; NaN in one alone counts as infinite."""
    if expected.size == 0:
        return 0.0
    difference = np.abs(expected - found.astype(np.float64))
    difference[np.isnan(expected) & np.isnan(found)] = 0.0
    difference[np.isnan(difference)] = np.inf
    return float(difference.max())
