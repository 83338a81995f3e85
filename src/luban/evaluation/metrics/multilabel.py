"""Metrics of any number of labels a row, with scikit-learn's names and values for indicator matrices.

Metrics of decisions take a label as said from a probability of one half on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import Score, average, share

if TYPE_CHECKING:
    from luban.core.task import Task

KIND = ("multilabel",)
_SMALLEST = float(np.finfo(np.float64).eps)
HALF = 0.5


def said(prediction: np.ndarray, threshold: float = HALF) -> np.ndarray:
    """Return which labels are decided for, float64 of 0 and 1, shape (n, K)."""
    return (prediction >= threshold).astype(np.float64)


def _parts(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, what is due and what is said, each (n, K)."""
    decided = said(prediction)
    return decided * target, target, decided


def _f1_micro(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, due, decided = (weights @ one.sum(axis=1) for one in _parts(target, prediction))
    return share(2 * hits, due + decided, 0.0)


def f1_of_labels(target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the F1 score of each label under each weighting, shape (B, K), 0 where undefined."""
    hits, due, decided = (weights @ one for one in _parts(target, prediction))
    return share(2 * hits, due + decided, 0.0)


def macro(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the unweighted mean of the labels' F1 scores."""
    mean: np.ndarray = f1_of_labels(target, prediction, weights).mean(axis=1)
    return mean


def _f1_samples(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, due, decided = (one.sum(axis=1) for one in _parts(target, prediction))
    return average(share(2 * hits, due + decided, 0.0), weights)


def _hamming(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average((said(prediction) != target).mean(axis=1), weights)


def subset(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of the rows whose labels are all right."""
    return average((said(prediction) == target).all(axis=1).astype(np.float64), weights)


def surprise_of_labels(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the mean over the labels of -log of the probability given to the truth, in nats, shape (n,)."""
    given = np.where(target > 0, prediction, 1.0 - prediction)
    surprised: np.ndarray = -np.log(np.clip(given, _SMALLEST, 1.0)).mean(axis=1)
    return surprised


def log_loss_of_labels(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean binary log loss over rows and labels, in nats."""
    return average(surprise_of_labels(target, prediction), weights)


f1_micro = Score(name="f1_micro", greater_is_better=True, kinds=KIND, function=_f1_micro, decisions=True)
"""F1 score of all labels of all rows together."""

f1_samples = Score(name="f1_samples", greater_is_better=True, kinds=KIND, function=_f1_samples, decisions=True)
"""Mean of the rows' F1 scores; 0 for a row that has no label and is given none."""

hamming_loss = Score(name="hamming_loss", greater_is_better=False, kinds=KIND, function=_hamming, decisions=True)
"""Share of the labels of the rows that are decided wrongly."""
