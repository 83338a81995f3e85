"""What a fitted model answers, in the user's own labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions for n rows.

    Parameters
    ----------
    task : Task
    prediction : pyarrow.Array
        Shape (n,): labels for classes, numbers otherwise (for quantiles the one nearest to the median).
    probabilities : numpy.ndarray, optional
        Shape (n, K), in the order of ``task.classes``.
    quantiles : numpy.ndarray, optional
        Shape (n, Q), in the order of ``task.quantiles``.
    notes : tuple of str
        What was done to the rows before they could be read.
    """

    task: Task
    prediction: pa.Array
    probabilities: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.prediction)

    def to_table(self) -> pa.Table:
        """Return the columns ``prediction`` and ``probability_<class>`` or ``quantile_<level>``."""
        columns = [self.prediction]
        wide = self.probabilities if self.probabilities is not None else self.quantiles
        if wide is not None:
            columns += [pa.array(wide[:, place]) for place in range(wide.shape[1])]
        return pa.table(columns, names=list(column_names(self.task)))


def column_names(task: Task) -> tuple[str, ...]:
    """Return the names of the columns that predictions for a task have."""
    classes = [f"probability_{label_text(label)}" for label in task.classes]
    return ("prediction", *classes, *(f"quantile_{level:g}" for level in task.quantiles))


def label_text(label: object) -> str:
    """Return a label as text, booleans as ``true`` and ``false``."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def labels(task: Task) -> pa.Array:
    """Return the labels as one array: booleans, whole numbers, numbers, or strings where they are mixed."""
    kinds = {type(label) for label in task.classes}
    if kinds in ({bool}, {int}, {str}):
        return pa.array(task.classes)
    if kinds <= {int, float}:
        return pa.array([float(label) for label in task.classes])
    return pa.array([label_text(label) for label in task.classes])


def of_values(task: Task, values: np.ndarray, codes: np.ndarray | None, notes: tuple[str, ...] = ()) -> Predictions:
    """Return the predictions for what `Model.predict` gave, and the codes that were decided on for classes."""
    if codes is not None:
        return Predictions(task=task, prediction=labels(task).take(pa.array(codes)), probabilities=values, notes=notes)
    if task.kind == "quantile":
        middle = int(np.argmin(np.abs(np.array(task.quantiles) - 0.5)))
        return Predictions(task=task, prediction=pa.array(values[:, middle]), quantiles=values, notes=notes)
    return Predictions(task=task, prediction=pa.array(values), notes=notes)
