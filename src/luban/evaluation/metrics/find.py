"""From the name of a metric to the metric."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from luban.core import plugins
from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    import numpy as np

    from luban.core.protocols import Metric
    from luban.core.task import Task

# What scikit-learn's functions and scorers, and other libraries, call the same thing; in small letters, without
# spaces and underscores, a leading "neg" and a closing "score".
_ELSEWHERE = {
    "acc": "accuracy",
    "ap": "average_precision",
    "auc": "roc_auc",
    "aucpr": "average_precision",
    "aucroc": "roc_auc",
    "auprc": "average_precision",
    "auroc": "roc_auc",
    "bacc": "balanced_accuracy",
    "balancedacc": "balanced_accuracy",
    "binarylogloss": "log_loss",
    "brierloss": "brier_score",
    "brierscoreloss": "brier_score",
    "ce": "log_loss",
    "crossentropy": "log_loss",
    "l1": "mae",
    "l2": "rmse",
    "macrof1": "f1_macro",
    "mcc": "matthews_corrcoef",
    "meanabsoluteerror": "mae",
    "meanabsolutepercentageerror": "mape",
    "meanpinballloss": "pinball",
    "meansquarederror": "rmse",
    "medae": "median_absolute_error",
    "mlogloss": "log_loss",
    "mse": "rmse",
    "multilogloss": "log_loss",
    "prauc": "average_precision",
    "quantile": "pinball",
    "roc": "roc_auc",
    "rocaucovo": "roc_auc",
    "rocaucovr": "roc_auc",
    "rootmeansquarederror": "rmse",
    "rsquared": "r2",
    "sensitivity": "recall",
}
_NEAR = 0.75  # letters in common, from which on a name is rather misspelt than unknown


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
        raise NotFound.named("metric", name, known, remedy=_meant(name, known, task))
    found: Metric = plugins.create("metrics", name)
    if task is not None and task.kind not in found.kinds:
        raise InputError(
            f"{name} does not fit a {task.kind} task",
            seen=f"{name} is for {' and '.join(found.kinds)}",
            remedy=f"Choose one of {', '.join(one.name for one in fitting(task))}.",
        )
    return found


def _meant(name: str, known: tuple[str, ...], task: Task | None) -> str | None:
    """Return in words which metric may be meant by an unknown name, or which there are for the task."""
    letters = _letters(name)
    meant = _ELSEWHERE.get(letters) or next((one for one in known if _letters(one) == letters), None)
    if meant in known:
        return f"Here it is named {meant}."
    near = get_close_matches(name.strip().lower(), known, n=2, cutoff=_NEAR)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    if task is not None:
        return f"For a {task.kind} task: {', '.join(one.name for one in fitting(task))}."
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("neg").removesuffix("score")


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
