"""Metrics of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import Score, average

if TYPE_CHECKING:
    from luban.core.task import Task

NUMBERS = ("regression",)
_SMALLEST = float(np.finfo(np.float64).eps)


def _rmse(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    error: np.ndarray = np.sqrt(average((target - prediction) ** 2, weights))
    return error


def _mae(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average(np.abs(target - prediction), weights)


def _mape(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average(np.abs(target - prediction) / np.maximum(np.abs(target), _SMALLEST), weights)


def _r2(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # Centred on a value that occurs: the spread below is then no small difference of large numbers, and a
    # constant target has a spread of exactly 0.
    centred = target - target[np.argmin(np.abs(target - target.mean()))]
    error = weights @ (target - prediction) ** 2
    squares = weights @ centred**2
    spread = squares - weights.sum(axis=1) * average(centred, weights) ** 2
    constant = spread <= 1e-14 * squares
    score = 1 - np.divide(error, spread, out=np.ones_like(error), where=~constant)
    return np.where(constant, np.where(error == 0, 1.0, 0.0), score)


def _median_absolute_error(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    error = np.abs(target - prediction)
    order = np.argsort(error)
    error, reached = error[order], np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    # Where half of the weight is reached exactly, the median lies midway to the next weighted row.
    low = np.minimum((reached < half).sum(axis=1), len(error) - 1)
    high = np.minimum((reached <= half).sum(axis=1), len(error) - 1)
    middle: np.ndarray = (error[low] + error[high]) / 2
    return middle


rmse = Score(name="rmse", greater_is_better=False, kinds=NUMBERS, function=_rmse)
"""Root of the mean squared error, in the units of the target."""

mae = Score(name="mae", greater_is_better=False, kinds=NUMBERS, function=_mae)
"""Mean absolute error, in the units of the target."""

r2 = Score(name="r2", greater_is_better=True, kinds=NUMBERS, function=_r2)
"""Share of the variance explained; for a constant target 1 where all are met exactly, else 0."""

median_absolute_error = Score(
    name="median_absolute_error", greater_is_better=False, kinds=NUMBERS, function=_median_absolute_error
)
"""Median absolute error, in the units of the target."""

mape = Score(name="mape", greater_is_better=False, kinds=NUMBERS, function=_mape)
"""Mean absolute error relative to the target, as a share (0.1 is 10 %)."""
