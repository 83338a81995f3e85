"""Greedy weighted ensemble with replacement (Caruana et al., 2004, Ensemble selection from libraries of models)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.search.ensemble.losses import Judge, judge

if TYPE_CHECKING:
    from luban.core.task import Task

STEPS = 25
# A gain below this share of the loss is chance, and no reason to keep another model.
_LEAST_GAIN = 1e-3
# Losses that differ by less are equal: then a model that is already in is preferred.
_TIE = 1e-9


def greedy_weights(
    task: Task,
    target: np.ndarray,
    predictions: np.ndarray,
    *,
    steps: int = STEPS,
    members: int = 6,
    worth: float = 0.02,
) -> np.ndarray:
    """Return the weights of a blend, shape (models,), that sum to 1; most are 0.

    Parameters
    ----------
    task : Task
        Its metric is what the blend is to be good at.
    target : numpy.ndarray
        Shape (n,).
    predictions : numpy.ndarray
        Of rows that the models had not seen, shape (models, n) or (models, n, outputs).
    steps : int
        How many times a model is added; the blend is cut at its best step.
    members : int
        Most models with a weight: every one costs time at each prediction.
    worth : float
        A member is only kept where leaving it out would lose more than this share of what the blend gains over the
        best single model, and more than a thousandth of the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from luban.core.task import Task
    >>> task = Task(kind="regression", target="y", inputs=("x",), metric="rmse")
    >>> target = np.array([0.0, 1.0, 2.0, 3.0])
    >>> greedy_weights(task, target, np.stack([target + 1, target - 1, target + 9]))
    array([0.5, 0.5, 0. ])
    """
    judged = judge(task, target, predictions)
    single = judged.losses(judged.features)
    if not np.isfinite(single).any():
        weights = np.zeros(len(predictions))
        weights[0] = 1.0
        return weights
    usable = np.flatnonzero(np.isfinite(single))
    weights, loss = _blend(judged, usable, steps)
    chosen = np.argsort(-weights, kind="stable")[: np.count_nonzero(weights)]
    if len(chosen) > members:
        chosen = chosen[:members]
        weights, loss = _blend(judged, chosen, steps)
    return _fewest(judged, chosen, weights, loss, float(single[usable].min()), steps, worth)


def _blend(judged: Judge, among: np.ndarray, steps: int) -> tuple[np.ndarray, float]:
    """Return the weights of the best blend of some models, and its loss."""
    features = judged.features[among]
    total = np.zeros_like(features[0])
    counts = np.zeros(len(among))
    best_counts, best_loss = counts, np.inf
    for step in range(1, steps + 1):
        losses = judged.losses((total + features) / step)
        lowest = losses.min()
        tied = np.flatnonzero(losses <= lowest + _TIE * max(1.0, abs(lowest)))
        # Of equals, the one with most weight so far; the first of those.
        pick = tied[np.argmax(counts[tied])]
        counts = counts.copy()
        counts[pick] += 1
        total = total + features[pick]
        if losses[pick] < best_loss - _TIE * max(1.0, abs(lowest)):
            best_counts, best_loss = counts, float(losses[pick])
    weights = np.zeros(len(judged.features))
    weights[among] = best_counts / max(1.0, best_counts.sum())
    return weights, best_loss


def _fewest(
    judged: Judge, chosen: np.ndarray, weights: np.ndarray, loss: float, single: float, steps: int, worth: float
) -> np.ndarray:
    """Leave members out, the lightest first, as long as hardly anything is lost."""
    gain = max(0.0, single - loss)
    allowed = loss + max(worth * gain, min(gain, _LEAST_GAIN * abs(loss)))
    while len(chosen) > 1:
        fewer = chosen[np.argsort(-weights[chosen], kind="stable")][:-1]
        tried, loss = _blend(judged, fewer, steps)
        if loss > allowed:
            break
        weights = tried
        chosen = fewer[weights[fewer] > 0]
    return weights
