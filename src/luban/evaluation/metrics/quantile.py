"""The metric of quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import Score, average

if TYPE_CHECKING:
    from luban.core.task import Task


def pinball_by_row(levels: tuple[float, ...], target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the pinball loss of each row, averaged over the levels, shape (n,)."""
    level = np.asarray(levels)
    short = target[:, None] - prediction
    rows: np.ndarray = np.maximum(level * short, (level - 1) * short).mean(axis=1)
    return rows


def _pinball(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return average(pinball_by_row(task.quantiles, target, prediction), weights)


pinball = Score(name="pinball", greater_is_better=False, kinds=("quantile",), function=_pinball)
"""Mean pinball loss over rows and levels, in the units of the target (Koenker and Bassett 1978)."""
