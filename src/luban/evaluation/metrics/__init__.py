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
from luban.evaluation.metrics.matching import mrr, recall_at_3, recall_at_10
from luban.evaluation.metrics.multilabel import f1_micro, f1_samples, hamming_loss
from luban.evaluation.metrics.probability import brier_score, log_loss
from luban.evaluation.metrics.quantile import pinball
from luban.evaluation.metrics.ranking import average_precision, roc_auc
from luban.evaluation.metrics.regression import mae, mape, median_absolute_error, r2, rmse
from luban.evaluation.metrics.tokens import entity_f1, entity_precision, entity_recall

__all__ = [
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "brier_score",
    "entity_f1",
    "entity_precision",
    "entity_recall",
    "f1",
    "f1_macro",
    "f1_micro",
    "f1_samples",
    "fitting",
    "hamming_loss",
    "log_loss",
    "loss",
    "mae",
    "mape",
    "matthews_corrcoef",
    "median_absolute_error",
    "metric",
    "mrr",
    "pinball",
    "precision",
    "r2",
    "recall",
    "recall_at_3",
    "recall_at_10",
    "rmse",
    "roc_auc",
]
