"""What predicting the same for every row would score: the least that a model must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from luban.core.protocols import Metric
    from luban.core.task import Task


def constant_prediction(metric: Metric, task: Task, target: np.ndarray) -> np.ndarray:
    """Return the best constant prediction: class shares, quantiles, or whichever of mean and median scores better.

    For multilabel the shares of the labels, for tokens those of all words, NaN behind the last one of a row.
    """
    rows = len(target)
    if task.kind == "multilabel":
        return np.tile(target.mean(axis=0), (rows, 1))
    if task.kind == "tokens":
        counts = np.bincount(target[target >= 0], minlength=len(task.classes))
        return np.where(target[:, :, None] >= 0, counts / max(1, counts.sum()), np.nan)
    if task.classes:
        return np.tile(np.bincount(target, minlength=len(task.classes)) / rows, (rows, 1))
    if task.quantiles:
        return np.tile(np.quantile(target, task.quantiles), (rows, 1))
    mean, median = np.full(rows, target.mean()), np.full(rows, np.median(target))
    gain = metric(task, target, mean) - metric(task, target, median)
    return mean if (gain >= 0) == metric.greater_is_better else median
