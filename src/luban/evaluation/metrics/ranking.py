"""Metrics of order: how well scores put the positive rows above the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import CLASSES, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.task import Task


def tally(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort rows by score and add up the weight of each distinct score.

    Parameters
    ----------
    positive : numpy.ndarray
        Booleans, shape (n,).
    scores : numpy.ndarray
        Shape (n,).
    weights : numpy.ndarray
        Shape (B, n).

    Returns
    -------
    tuple
        The G distinct scores, ascending; the weight of positive and of negative rows at each, (B, G).
    """
    order = np.argsort(scores)
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    total = weights[:, order]
    above = total * positive[order]
    if len(starts) < len(ordered):
        total = np.add.reduceat(total, starts, axis=1)
        above = np.add.reduceat(above, starts, axis=1)
    return ordered[starts], above, total - above


def _area(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counted half."""
    _, above, below = tally(positive, scores, weights)
    beaten = np.cumsum(below, axis=1)
    positives, negatives = above.sum(axis=1), beaten[:, -1]
    wins = np.einsum("bg,bg->b", above, beaten - 0.5 * below)
    return _share(wins, positives * negatives)


def _precision_area(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Precision at each threshold, averaged by the recall that the threshold adds."""
    _, above, below = tally(positive, scores, weights)
    found = np.cumsum(above[:, ::-1], axis=1)
    chosen = found + np.cumsum(below[:, ::-1], axis=1)
    precision = np.divide(found, chosen, out=np.zeros_like(found), where=chosen > 0)
    return _share(np.einsum("bg,bg->b", above[:, ::-1], precision), found[:, -1])


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
    return share


def _one_against_rest(
    area: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[Task, np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Return the score of the positive class, or the mean over the classes that the rows hold."""

    def function(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        if task.kind == "binary":
            return area(target == 1, prediction[:, 1], weights)
        if task.kind == "multilabel":
            borne = [(target[:, code] > 0, prediction[:, code]) for code in np.flatnonzero(target.any(axis=0))]
        else:
            present = np.flatnonzero(np.bincount(target, minlength=len(task.classes)))
            borne = [(target == code, prediction[:, code]) for code in present]
        if not borne:
            return np.full(len(weights), np.nan)
        areas = np.stack([area(positive, scores, weights) for positive, scores in borne])
        defined = np.isfinite(areas)
        return _share(np.where(defined, areas, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))

    return function


_KINDS = (*CLASSES, "multilabel")

roc_auc = Score(name="roc_auc", greater_is_better=True, kinds=_KINDS, function=_one_against_rest(_area))
"""Area under the ROC curve; for several classes or labels one against the rest, unweighted mean over those present."""

average_precision = Score(
    name="average_precision", greater_is_better=True, kinds=_KINDS, function=_one_against_rest(_precision_area)
)
"""Average precision; for several classes or labels one against the rest, unweighted mean over those present."""
