"""The built-in metrics, with scikit-learn's names and values, in numpy alone.

All take predictions as `Model.predict` gives them. Each is written once, over many weightings of the
rows at a time, so that its bootstrap is the metric itself and not a second version of it.
"""

from luban.evaluation.metrics.decision import (
    accuracy,
    balanced_accuracy,
    f1,
    f1_macro,
    matthews_corrcoef,
    precision,
    recall,
)
from luban.evaluation.metrics.find import fitting, loss, metric
from luban.evaluation.metrics.probability import brier_score, log_loss
from luban.evaluation.metrics.quantile import pinball
from luban.evaluation.metrics.ranking import average_precision, roc_auc
from luban.evaluation.metrics.regression import mae, mape, median_absolute_error, r2, rmse

__all__ = [
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "brier_score",
    "f1",
    "f1_macro",
    "fitting",
    "log_loss",
    "loss",
    "mae",
    "mape",
    "matthews_corrcoef",
    "median_absolute_error",
    "metric",
    "pinball",
    "precision",
    "r2",
    "recall",
    "rmse",
    "roc_auc",
]
