"""What predicting the same for every row would score: the least that a model must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from luban.core.protocols import Metric
    from luban.core.task import Task


def constant_prediction(metric: Metric, task: Task, target: np.ndarray) -> np.ndarray:
    """Return the best constant prediction: class shares, quantiles, or whichever of mean and median scores better."""
    rows = len(target)
    if task.classes:
        return np.tile(np.bincount(target, minlength=len(task.classes)) / rows, (rows, 1))
    if task.quantiles:
        return np.tile(np.quantile(target, task.quantiles), (rows, 1))
    mean, median = np.full(rows, target.mean()), np.full(rows, np.median(target))
    gain = metric(task, target, mean) - metric(task, target, median)
    return mean if (gain >= 0) == metric.greater_is_better else median
