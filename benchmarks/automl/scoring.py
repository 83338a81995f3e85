"""One scorer for every system: it sees the test file and a file of predictions, never the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, root_mean_squared_error

from benchmarks.automl.failure import SystemFailed

if TYPE_CHECKING:
    from benchmarks.automl.job import Job


def score(job: Job) -> dict[str, float]:
    """Score the predictions of a job.

    Returns
    -------
    dict
        ``score`` in the job's metric and, for classes, ``log_loss`` (nats).

    Raises
    ------
    SystemFailed
        When predictions are absent, incomplete or of another length than the test set.
    """
    if not job.predictions.exists():
        raise SystemFailed("no predictions were written")
    predictions = pd.read_parquet(job.predictions)
    truth = pd.read_csv(job.test)[job.target]
    if len(predictions) != len(truth):
        raise SystemFailed(f"{len(predictions)} predictions for {len(truth)} test rows")
    labels = [] if job.kind == "regression" else sorted(truth.astype(str).unique())
    wanted = ["prediction", *(f"probability_{label}" for label in labels)]
    if absent := [column for column in wanted if column not in predictions]:
        raise SystemFailed(f"predictions lack {', '.join(absent)}; they have {', '.join(predictions.columns)}")
    if predictions[wanted].isna().any(axis=None):
        raise SystemFailed("predictions have missing values")
    if job.kind == "regression":
        return {"score": float(root_mean_squared_error(truth, predictions["prediction"]))}
    actual = truth.astype(str)
    probabilities = predictions[wanted[1:]].to_numpy("float64")
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    if job.metric == "roc_auc":
        primary = roc_auc_score(actual == labels[1], probabilities[:, 1])
    else:
        primary = accuracy_score(actual, predictions["prediction"].astype(str))
    return {"score": float(primary), "log_loss": float(log_loss(actual, probabilities, labels=labels))}
