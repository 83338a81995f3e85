"""Luban: ``python -m benchmarks.automl.runners.with_luban fit|measure JOB.json``, in the interpreter of the benchmark.

Fitting and predicting go through the command line, as a user's would; the latency of one row (a dict) and of a batch go
through ``luban.load``. The workspace lies in the job's folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.automl.job import Job, read_job
from benchmarks.automl.runners.measuring import batch_speed, row_latency, versions

NAME = "benchmark"
PACKAGES = ("luban", "lightgbm", "catboost", "xgboost", "torch", "onnxruntime", "scikit-learn")


def command(job: Job, *arguments: str) -> str:
    """Run the ``luban`` command beside this interpreter and return what it printed."""
    os.environ["LUBAN_WORKSPACE"] = str(Path(job.folder) / ".luban")
    luban = Path(sys.executable).with_name("luban")
    return subprocess.run([str(luban), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def fit(job: Job) -> None:
    """``luban fit`` within the budget."""
    what = ("--target", job.target, "--metric", job.metric, "--budget", f"{job.budget}s")
    printed = command(job, "fit", job.train, *what, "--name", NAME, "--seed", str(job.seed), "--json")
    (Path(job.folder) / "run.json").write_text(printed)
    job.note("fit", {"versions": versions(*PACKAGES)})


def measure(job: Job) -> None:
    """``luban predict`` for the scores, then the loaded model for size, latency and batch speed."""
    command(job, "predict", NAME, job.test, "-o", str(job.predictions))
    import luban  # after LUBAN_WORKSPACE is set

    model = luban.load(NAME)
    size = json.loads(command(job, "models", "verify", NAME, "--json"))["size"]
    test = pd.read_csv(job.test).drop(columns=[job.target])
    rows: list[dict[Any, Any]] = test.astype(object).where(test.notna(), None).to_dict(orient="records")
    speed = {**row_latency(model.predict_row, rows), **batch_speed(lambda: model.predict(test), len(test))}
    job.note("measure", {"size_bytes": size, **speed})


if __name__ == "__main__":
    {"fit": fit, "measure": measure}[sys.argv[1]](read_job(sys.argv[2]))
