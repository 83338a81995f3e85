"""Into which folds the rows of a study are divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import InputError
from luban.data.split import folds as fold_pairs

if TYPE_CHECKING:
    from luban.core.task import Task

# As AutoGluon's bagging has.
FOLDS = 8
# Where the whole cross-validation is cheap and one fold judges few rows, it is repeated.
TINY_ROWS = 1_500
REPEATS = 3
# Forward in time: so many of the latest tenths of the rows judge what was learnt from all before them.
FORWARD_FOLDS, FORWARD_PARTS = 5, 10


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
    if task.classifies and task.kind != "matching":  # where an answer that one row has can be found as well
        present = np.bincount(target.astype(np.int64), minlength=len(task.classes))
        rarest = int(present[present > 0].min())
        count = min(count, max(2, rarest)) if rarest >= 2 else count
    repeats = REPEATS if repeat and rows <= TINY_ROWS else 1
    folds = np.full((repeats, rows), -1, dtype=np.int16)
    for number in range(repeats):
        for place, (_, judged) in enumerate(fold_pairs(task, target, groups, count, seed + number)):
            folds[number, judged] = place
    return folds


def divide_forward(task: Task, target: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return the fold in which each row is judged, shape (1, n), int16, for folds that go forward in time.

    Fold 0 judges the latest tenth of the rows, fold 1 the tenth before, and so on; each learns from all rows that are
    earlier than those it judges. The earlier half is judged in no fold, -1. Rows of one moment stay together. Where a
    tenth has rows of one class only it is judged together with the one before it.

    Parameters
    ----------
    moments : numpy.ndarray
        Shape (n,); ranks in time.

    Raises
    ------
    InputError
        If no late part of the rows can be judged by what was learnt before it.
    """
    pairs = fold_pairs(task, target, None, FORWARD_PARTS - 1, 0, moments=moments)[-FORWARD_FOLDS:]
    folds = np.full((1, len(target)), -1, dtype=np.int16)
    count, waiting = 0, []
    for learnt, judged in reversed(pairs):
        waiting.append(judged)
        rows = np.concatenate(waiting)
        if _tells(task, target[rows]) and _tells(task, target[learnt]):
            folds[0, rows] = count
            count, waiting = count + 1, []
    if not count:
        raise InputError(
            "no late part of the rows can judge what is learnt from the earlier ones",
            seen=f"the target {task.target!r} has one value in one of the two",
            remedy="Name no time column, so that rows are judged in random folds.",
        )
    return folds


def _tells(task: Task, target: np.ndarray) -> bool:
    """Return whether there is anything to learn from these values, or to judge by them."""
    return len(target) > 1 and (not task.classifies or len(np.unique(target)) > 1)
