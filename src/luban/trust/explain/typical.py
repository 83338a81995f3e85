"""The rows that are worth a closer look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.trust.explain.subject import decided, shown_output

if TYPE_CHECKING:
    from luban.core.protocols import Model
    from luban.core.task import Task

_CLASSES = 4
_WRONG = 2


def spread(task: Task, predictions: np.ndarray) -> np.ndarray:
    """Return the places of the lowest, the middle and the highest of some predictions."""
    shown = shown_output(task, predictions)[1]
    ranked = np.argsort(shown.max(axis=1), kind="stable")
    return np.unique(ranked[[0, len(ranked) // 2, -1]])


def telling(model: Model, task: Task, predictions: np.ndarray, target: np.ndarray | None) -> np.ndarray:
    """Return the places of rows that show how a model decides.

    Of each class, the four most frequent at most, the row that is said with most confidence, among those that are right
    where the truth is known; and the two that are wrong with most confidence. For numbers the lowest, the middle and
    the highest, and the one with the largest error.

    Parameters
    ----------
    predictions : numpy.ndarray
        Of n rows.
    target : numpy.ndarray, optional
        The truth of these rows.
    """
    if task.kind not in ("binary", "multiclass", "matching"):
        chosen = list(spread(task, predictions)) if predictions.ndim <= 2 else list(range(min(3, len(predictions))))
        if target is not None and task.kind == "regression":
            chosen.append(int(np.abs(predictions - target).argmax()))
        return np.unique(chosen).astype(np.int64)
    codes = decided(model, task, predictions)
    sure = predictions[np.arange(len(codes)), np.maximum(codes, 0)]
    right = codes >= 0 if target is None else codes == target
    chosen = []
    classes, counts = np.unique(codes[right], return_counts=True)
    for code in classes[np.argsort(-counts, kind="stable")[:_CLASSES]]:
        places = np.flatnonzero(right & (codes == code))
        chosen.append(int(places[sure[places].argmax()]))
    wrong = np.flatnonzero(~right & (codes >= 0))
    chosen += [int(place) for place in wrong[np.argsort(-sure[wrong], kind="stable")[:_WRONG]]]
    return np.unique(chosen or spread(task, predictions)).astype(np.int64)
