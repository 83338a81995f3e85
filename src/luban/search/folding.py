"""Into how many folds the rows of a study are divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.data.split import folds as fold_pairs

if TYPE_CHECKING:
    from luban.core.task import Task

# As AutoGluon's bagging has.
FOLDS = 8
# Where the whole cross-validation is cheap and one fold judges few rows, it is repeated.
TINY_ROWS = 1_500
REPEATS = 3


def divide(task: Task, target: np.ndarray, groups: np.ndarray | None, *, seed: int, repeat: bool) -> np.ndarray:
    """Return the fold in which each row is judged, shape (repeats, n), int16.

    Eight folds (of at least two rows each, and no more than the rarest class has rows), so that a fit learns from 7/8
    of the rows. On large data the budget may allow the first fold alone, which is a holdout then: it is at most 10,000
    rows, and what is not needed to judge is learnt from.

    Parameters
    ----------
    groups : numpy.ndarray, optional
        Shape (n,); the rows of one group are judged together.
    repeat : bool
        Whether a cross-validation of few rows is repeated with other folds.
    """
    rows = len(target)
    count = max(FOLDS, -(-rows // 10_000))
    count = min(count, max(2, rows // 2))
    if task.classifies:
        present = np.bincount(target.astype(np.int64), minlength=len(task.classes))
        rarest = int(present[present > 0].min())
        count = min(count, max(2, rarest)) if rarest >= 2 else count
    repeats = REPEATS if repeat and rows <= TINY_ROWS else 1
    folds = np.full((repeats, rows), -1, dtype=np.int16)
    for number in range(repeats):
        for place, (_, judged) in enumerate(fold_pairs(task, target, groups, count, seed + number)):
            folds[number, judged] = place
    return folds
