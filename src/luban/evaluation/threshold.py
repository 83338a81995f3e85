"""The decision threshold: from which probability on a row counts as positive, bears a label or gets its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.decision import DecisionScore
from luban.evaluation.metrics.multilabel import said
from luban.evaluation.metrics.ranking import tally
from luban.evaluation.metrics.score import judges_decisions

if TYPE_CHECKING:
    from luban.core.protocols import Metric
    from luban.core.task import Task
    from luban.evaluation.metrics.score import Score

USUAL = 0.5
_GRID = np.round(np.arange(0.02, 1.0, 0.02), 2)


def confusion_by_threshold(target: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every threshold that matters, ascending, and the confusion matrix of each.

    Parameters
    ----------
    target : numpy.ndarray
        0 or 1, shape (n,).
    scores : numpy.ndarray
        Probability of the positive class, shape (n,).

    Returns
    -------
    tuple
        Thresholds (T,), halfway between neighbouring scores, and matrices (T, 2, 2), true classes along the rows.
    """
    values, above, below = tally(target == 1, scores, np.ones((1, len(target))))
    missed, spared = np.cumsum(above[0])[:-1], np.cumsum(below[0])[:-1]
    missed, spared = np.concatenate(([0.0], missed)), np.concatenate(([0.0], spared))
    positives, negatives = above.sum(), below.sum()
    thresholds = np.concatenate(([values[0]], (values[1:] + values[:-1]) / 2))
    rows = np.stack([spared, negatives - spared, missed, positives - missed], axis=1)
    return thresholds, rows.reshape(-1, 2, 2)


def best_threshold(
    metric: Metric | DecisionScore | Score, task: Task, target: np.ndarray, prediction: np.ndarray, *, seed: int = 0
) -> float:
    """Return the probability from which deciding for the positive class scores best by `metric`.

    Parameters
    ----------
    metric : Metric
        One that judges decisions, such as f1 or balanced_accuracy.
    task : Task
    target : numpy.ndarray
        Class codes, shape (n,); for multilabel 0 and 1, shape (n, K).
    prediction : numpy.ndarray
        Probabilities of rows that were not learnt from, shape (n, 2); for multilabel (n, K), and one threshold for all
        labels.

    Returns
    -------
    float
        0.5 where the task is neither, the metric judges no decisions, or a threshold chosen on one half
        of the rows does not beat 0.5 on the other.
    """
    if task.kind == "multilabel":
        return _best_of_labels(metric, task, target, prediction, seed)
    if task.kind != "binary" or not isinstance(metric, DecisionScore):
        return USUAL
    scores = prediction[:, 1]
    order = np.random.default_rng(seed).permutation(len(target))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    gain = 0.0
    for chosen, judged in (halves, halves[::-1]):
        if len(np.unique(target[chosen])) < 2:
            return USUAL
        threshold = _best(metric, target[chosen], scores[chosen])
        gain += _score(metric, target[judged], scores[judged], threshold)
        gain -= _score(metric, target[judged], scores[judged], USUAL)
    return _best(metric, target, scores) if gain > 0 else USUAL


def _best_of_labels(
    metric: Metric | DecisionScore | Score, task: Task, target: np.ndarray, prediction: np.ndarray, seed: int
) -> float:
    if not judges_decisions(metric) or len(target) < 2:
        return USUAL
    sign = 1.0 if metric.greater_is_better else -1.0

    def score(rows: np.ndarray, threshold: float) -> float:
        return sign * metric(task, target[rows], said(prediction[rows], threshold))

    def best(rows: np.ndarray) -> float:
        scores = np.array([score(rows, one) for one in _GRID])
        equal = np.flatnonzero(scores >= np.nanmax(scores) - 1e-12)
        return float(_GRID[equal[np.argmin(np.abs(_GRID[equal] - USUAL))]])

    order = np.random.default_rng(seed).permutation(len(target))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    gain = sum(score(judged, best(chosen)) - score(judged, USUAL) for chosen, judged in (halves, halves[::-1]))
    return best(order) if gain > 0 else USUAL


def reject_threshold(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the probability below which the best answer should not be given: where it is as often wrong as right.

    Of all thresholds the one with most right answers less wrong ones; a wrong answer then costs what a right one gains
    (Chow 1970, with an error that costs twice as much as a rejection).

    Parameters
    ----------
    target : numpy.ndarray
        Codes, shape (n,).
    prediction : numpy.ndarray
        Probabilities of rows that were not learnt from, shape (n, K).
    """
    scores = prediction.max(axis=1)
    order = np.argsort(-scores, kind="stable")
    gained = np.cumsum(np.where(prediction.argmax(axis=1) == target, 1.0, -1.0)[order])
    last = np.append(scores[order][1:] < scores[order][:-1], True)  # equal scores are given or rejected together
    ends = np.flatnonzero(last)
    best = ends[np.argmax(gained[ends])]
    if gained[best] <= 0:
        return float(min(1.0, scores.max()))
    lowest = float(scores[order][best])
    return (lowest + float(scores[order][best + 1])) / 2 if best + 1 < len(order) else lowest


def _best(metric: DecisionScore, target: np.ndarray, scores: np.ndarray) -> float:
    thresholds, matrices = confusion_by_threshold(target, scores)
    values = metric.from_confusion(matrices)
    values = values if metric.greater_is_better else -values
    best = np.flatnonzero(values >= values.max() - 1e-12)
    # Among equals the one nearest to one half asks for the least trust.
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - USUAL))]])


def _score(metric: DecisionScore, target: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    decided = scores >= threshold
    matrix = np.array([[[((target == t) & (decided == d)).sum() for d in (0, 1)] for t in (0, 1)]], dtype=np.float64)
    value = float(metric.from_confusion(matrix)[0])
    return value if metric.greater_is_better else -value
