"""From predicted probabilities to what is decided: a class, an answer or none, labels, a label a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from luban.core.task import Task

HALF = 0.5
"""From this probability on a label is given where no threshold was found."""
ALTERNATIVES = 3
"""So many answers are told beside the one that is given."""
NONE = -1
"""The code of no decision: a rejected answer, a word that is none or was not read."""


def decide(task: Task, values: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return what is decided for predictions as `Model.predict` returns them.

    Parameters
    ----------
    threshold : float, optional
        Least probability of the positive class (binary), of a label (multilabel), of the best answer (matching).

    Returns
    -------
    numpy.ndarray
        int64 codes of shape (n,), -1 where the best answer is rejected; booleans of shape (n, K) for multilabel; int64
        codes of shape (n, L) for tokens, -1 where there is no word or it was not read.
    """
    if task.kind == "multilabel":
        return np.asarray(values >= (HALF if threshold is None else threshold))
    if task.kind == "tokens":
        read = np.isfinite(values).all(axis=2)
        return np.where(read, np.nan_to_num(values).argmax(axis=2), NONE) if values.size else read.astype(np.int64)
    if task.kind == "binary" and threshold is not None:
        return (values[:, 1] >= threshold).astype(np.int64)
    codes = np.asarray(values.argmax(axis=1))
    if task.kind == "matching" and threshold is not None:
        return np.where(values.max(axis=1) >= threshold, codes, NONE)
    return codes


def best(values: np.ndarray, count: int = ALTERNATIVES) -> np.ndarray:
    """Return the codes of the most probable answers of each row, the best first, shape (n, count) or fewer."""
    count = min(count, values.shape[1])
    few = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, few, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(few, order, axis=1))
