"""Metrics of probabilities (proper scores: honest probabilities score best)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.multilabel import log_loss_of_labels
from luban.evaluation.metrics.score import CLASSES, Score, average, by_kind
from luban.evaluation.metrics.tokens import log_loss_of_words

if TYPE_CHECKING:
    from luban.core.task import Task

_SMALLEST = float(np.finfo(np.float64).eps)


def surprise(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return -log of the probability given to the true class of each row, in nats, shape (n,)."""
    given = prediction[np.arange(len(target)), target] / prediction.sum(axis=1)
    surprised: np.ndarray = -np.log(np.clip(given, _SMALLEST, 1 - _SMALLEST))
    return surprised


def _log_loss(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average(surprise(target, prediction), weights)


def _brier(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if task.kind == "binary":
        return average((prediction[:, 1] - target) ** 2, weights)
    squares = (prediction**2).sum(axis=1) - 2 * prediction[np.arange(len(target)), target] + 1
    return average(squares, weights)


_LOG_LOSSES = {
    **dict.fromkeys((*CLASSES, "matching"), _log_loss),
    "multilabel": log_loss_of_labels,
    "tokens": log_loss_of_words,
}

log_loss = Score(name="log_loss", greater_is_better=False, kinds=tuple(_LOG_LOSSES), function=by_kind(_LOG_LOSSES))
"""Mean negative log-likelihood, in nats: of rows, of the labels of multilabel rows, of the words of tokens."""

brier_score = Score(name="brier_score", greater_is_better=False, kinds=CLASSES, function=_brier)
"""Mean squared error of the probabilities: of the positive class, or summed over several classes (0 to 2)."""
