"""AutoGluon: ``python -m benchmarks.automl.runners.with_autogluon fit|measure JOB.json``, in its environment."""

from __future__ import annotations

import sys
import time

import pandas as pd
from autogluon.tabular import TabularPredictor

from benchmarks.automl.job import Job, read_job
from benchmarks.automl.runners.measuring import batch_speed, folder_bytes, row_latency, versions

METRICS = {"roc_auc": "roc_auc", "accuracy": "accuracy", "rmse": "root_mean_squared_error"}
PACKAGES = ("autogluon.tabular", "lightgbm", "catboost", "xgboost-cpu", "fastai", "torch", "ray", "scikit-learn")


def fit(job: Job) -> None:
    """Fit the preset within the budget and leave the predictor in the job's model folder."""
    train = pd.read_csv(job.train)
    predictor = TabularPredictor(
        label=job.target, problem_type=job.kind, eval_metric=METRICS[job.metric], path=str(job.model)
    )
    started = time.perf_counter()
    predictor.fit(train, presets=job.preset, time_limit=job.budget, num_cpus=job.cores, num_gpus=0)
    job.note("fit", {"fit_seconds": time.perf_counter() - started, "versions": versions(*PACKAGES)})


def measure(job: Job) -> None:
    """Load the saved predictor, keep its models in memory (the fastest it offers), predict and time."""
    size = folder_bytes(job.model)
    predictor = TabularPredictor.load(str(job.model))
    test = pd.read_csv(job.test).drop(columns=[job.target])
    leaderboard = predictor.leaderboard().to_dict(orient="records")
    predictor.persist()
    predict = predictor.predict if job.kind == "regression" else predictor.predict_proba
    predictions = pd.DataFrame({"prediction": predictor.predict(test)})
    if job.kind != "regression":
        predictions = predictions.join(predictor.predict_proba(test).add_prefix("probability_"))
    predictions.to_parquet(job.predictions, index=False)
    rows = [test.iloc[[position]] for position in range(len(test))]
    facts = {"size_bytes": size, **row_latency(predict, rows), **batch_speed(lambda: predict(test), len(test))}
    job.note("measure", {**facts, "details": {"best": predictor.model_best, "leaderboard": leaderboard}})


if __name__ == "__main__":
    {"fit": fit, "measure": measure}[sys.argv[1]](read_job(sys.argv[2]))
