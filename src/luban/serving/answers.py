"""From a model's values to what a client is told: labels, probabilities, quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.task import Label, Task


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Predictions of some rows.

    Parameters
    ----------
    outputs : mapping of str to numpy.ndarray
        ``prediction`` (n,), and ``probabilities`` (n, K) for classes or ``quantiles`` (n, Q).
    notes : tuple of str
        What was done to make the rows fit the model.
    """

    outputs: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it is for."""
        return len(self.outputs["prediction"])


def answer(
    task: Task, labels: np.ndarray, values: np.ndarray, threshold: float | None, notes: tuple[str, ...] = ()
) -> Answer:
    """Return the answer for what `Model.predict` returns.

    Parameters
    ----------
    labels : numpy.ndarray
        The classes as an array; empty for other tasks.
    values : numpy.ndarray
        Shape (n, K), (n,) or (n, Q).
    threshold : float, optional
        Probability from which the positive class is predicted.
    """
    if task.classifies:
        if threshold is None or task.kind != "binary":
            codes = values.argmax(axis=1)
        else:
            codes = (values[:, 1] >= threshold).astype(np.int64)
        return Answer(outputs={"prediction": labels[codes], "probabilities": values}, notes=notes)
    if task.quantiles:
        return Answer(outputs={"prediction": values[:, middle(task)], "quantiles": values}, notes=notes)
    return Answer(outputs={"prediction": values}, notes=notes)


def answer_row(task: Task, values: Any, threshold: float | None) -> dict[str, Any]:
    """Return the answer for one row's values, shape (K,), () or (Q,), in plain Python values."""
    listed = values.tolist()
    if task.classifies:
        decided = threshold is not None and task.kind == "binary"
        code = int(listed[1] >= threshold) if decided else listed.index(max(listed))
        probabilities: dict[Label, float] = dict(zip(task.classes, listed, strict=True))
        return {"prediction": task.classes[code], "probabilities": probabilities}
    if task.quantiles:
        return {"prediction": listed[middle(task)], "quantiles": dict(zip(task.quantiles, listed, strict=True))}
    return {"prediction": listed}


def middle(task: Task) -> int:
    """Return the place of the quantile nearest to the median."""
    return min(range(len(task.quantiles)), key=lambda place: abs(task.quantiles[place] - 0.5))


def answered_rows(task: Task, found: Answer) -> list[dict[str, Any]]:
    """Return an answer row by row, each as `answer_row` gives it."""
    labels = found.outputs["prediction"].tolist()
    names, key = (task.classes, "probabilities") if task.classifies else (task.quantiles, "quantiles")
    if not names:
        return [{"prediction": label} for label in labels]
    return [
        {"prediction": label, key: dict(zip(names, row, strict=True))}
        for label, row in zip(labels, found.outputs[key].tolist(), strict=True)
    ]
