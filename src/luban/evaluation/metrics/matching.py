"""Metrics of ranked answers; one answer of a row is the right one, so that recall at 1 is the accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import Score, average

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.task import Task

KIND = ("matching",)


def ranks(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the rank of the right answer of each row, from 1, shape (n,); of equal scores it comes last."""
    right = prediction[np.arange(len(target)), target]
    return np.asarray((prediction >= right[:, None]).sum(axis=1))


def top(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of the rows whose most probable answer is right."""
    return average((prediction.argmax(axis=1) == target).astype(np.float64), weights)


def _mrr(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average(1.0 / ranks(target, prediction), weights)


def _recall_at(k: int) -> Callable[[Task, np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    def function(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return average((ranks(target, prediction) <= k).astype(np.float64), weights)

    return function


mrr = Score(name="mrr", greater_is_better=True, kinds=KIND, function=_mrr)
"""Mean reciprocal rank of the right answer (Voorhees 1999)."""

recall_at_3 = Score(name="recall_at_3", greater_is_better=True, kinds=KIND, function=_recall_at(3))
"""Share of the rows whose right answer is among the three most probable."""

recall_at_10 = Score(name="recall_at_10", greater_is_better=True, kinds=KIND, function=_recall_at(10))
"""Share of the rows whose right answer is among the ten most probable."""
