"""From the name of a metric to the metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    import numpy as np

    from luban.core.protocols import Metric
    from luban.core.task import Task

# What scikit-learn's functions and scorers, and other libraries, call the same thing.
_ELSEWHERE = {
    "roc_auc_ovr": "roc_auc",
    "auc": "roc_auc",
    "brier_score_loss": "brier_score",
    "logloss": "log_loss",
    "mcc": "matthews_corrcoef",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_pinball_loss": "pinball",
    "mean_squared_error": "rmse",
    "mse": "rmse",
    "root_mean_squared_error": "rmse",
}


def metric(name: str, task: Task | None = None) -> Metric:
    """Return the metric of this name.

    Parameters
    ----------
    name : str
        As in the group ``luban.metrics``.
    task : Task, optional
        Where given, the metric must fit its kind.

    Raises
    ------
    NotFound
        With the nearest names, if there is none.
    InputError
        If it does not fit the kind of the task.
    """
    known = plugins.names("metrics")
    if name not in known:
        plain = name.strip().lower().removeprefix("neg_").removesuffix("_score")
        meant = _ELSEWHERE.get(plain, plain)
        remedy = f"Here it is named {meant}." if meant in known else None
        raise NotFound.named("metric", name, known, remedy=remedy)
    found: Metric = plugins.create("metrics", name)
    if task is not None and task.kind not in found.kinds:
        raise InputError(
            f"{name} does not fit a {task.kind} task",
            seen=f"{name} is for {' and '.join(found.kinds)}",
            remedy=f"Choose one of {', '.join(one.name for one in fitting(task))}.",
        )
    return found


def fitting(task: Task) -> tuple[Metric, ...]:
    """Return the metrics that fit the kind of the task: its own first, then the others by name."""
    found = (plugins.create("metrics", name) for name in plugins.names("metrics"))
    fit = [one for one in found if task.kind in one.kinds]
    return tuple(sorted(fit, key=lambda one: (one.name != task.metric, one.name)))


def loss(name: str, task: Task, target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the metric as a loss to minimise: 1 - score where greater is better, else the score itself.

    Infinite where these rows leave the metric undefined (a ROC curve of one class), so that a search
    never takes such an outcome for a good one.
    """
    found = metric(name, task)
    score = found(task, target, prediction)
    if math.isnan(score):
        return math.inf
    return 1 - score if found.greater_is_better else score
