"""FLAML: ``python -m benchmarks.automl.runners.with_flaml fit|measure JOB.json``, in its environment.

FLAML stores a model by pickling it; the file read here is the one that ``fit`` wrote a moment before.
"""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import pandas as pd
from flaml import AutoML

from benchmarks.automl.job import Job, read_job
from benchmarks.automl.runners.measuring import batch_speed, folder_bytes, row_latency, versions

PACKAGES = ("flaml", "lightgbm", "catboost", "xgboost", "pandas", "scikit-learn")


def fit(job: Job) -> None:
    """Search within the budget and pickle the winner into the job's model folder."""
    train = pd.read_csv(job.train)
    search = AutoML()
    started = time.perf_counter()
    search.fit(
        X_train=train.drop(columns=[job.target]),
        y_train=train[job.target],
        task="regression" if job.kind == "regression" else "classification",
        metric=job.metric,
        time_budget=job.budget,
        n_jobs=job.cores,
        seed=job.seed,
        log_file_name=str(Path(job.folder) / "search.log"),
    )
    fit_seconds = time.perf_counter() - started
    job.model.mkdir(exist_ok=True)
    (job.model / "model.pickle").write_bytes(pickle.dumps(search))
    losses = {"best": search.best_estimator, "configuration": search.best_config}
    details = {**losses, "leaderboard": search.best_loss_per_estimator}
    job.note("fit", {"fit_seconds": fit_seconds, "versions": versions(*PACKAGES), "details": details})


def measure(job: Job) -> None:
    """Load the pickled search, predict and time."""
    search = pickle.loads((job.model / "model.pickle").read_bytes())
    test = pd.read_csv(job.test).drop(columns=[job.target])
    predict = search.predict if job.kind == "regression" else search.predict_proba
    predictions = pd.DataFrame({"prediction": search.predict(test)})
    if job.kind != "regression":
        names = [f"probability_{label}" for label in search.classes_]
        predictions = predictions.join(pd.DataFrame(search.predict_proba(test), columns=names))
    predictions.to_parquet(job.predictions, index=False)
    rows = [test.iloc[[position]] for position in range(len(test))]
    speed = {**row_latency(predict, rows), **batch_speed(lambda: predict(test), len(test))}
    job.note("measure", {"size_bytes": folder_bytes(job.model), **speed})


if __name__ == "__main__":
    {"fit": fit, "measure": measure}[sys.argv[1]](read_job(sys.argv[2]))
