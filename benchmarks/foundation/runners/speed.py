"""Training rows a second, Luban's loop and Trainer in turns in one process: the same rows, once each a turn."""

from __future__ import annotations

import math
import statistics
import tempfile
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from benchmarks.foundation.runners.job import answer, read_job
from benchmarks.foundation.runners.trainer import BATCH, Rows, Watch, precision, tokenizer_of, trainer


def main() -> None:
    """Take turns; of each system the turn counts that other work of the machine disturbed least."""
    job = read_job()
    torch.set_num_threads(job["threads"])
    table = pd.read_csv(job["train"]).sample(job["rows"], random_state=0)
    classes, codes = np.unique(table[job["target"]].astype(str), return_inverse=True)
    own, other = [], []
    for turn in range(job["turns"] + 1):
        pair = _luban(table, job, classes, codes), _trainer(table, job, classes, codes)
        if turn:  # the first turn warms up
            own.append(pair[0])
            other.append(pair[1])
    answer(
        {
            "luban": max(own),
            "trainer": max(other),
            "ratio": max(own) / max(other),
            "median_ratio": statistics.median(one / two for one, two in zip(own, other, strict=True)),
            "turns": {"luban": own, "trainer": other},
            "precision": precision(),
        }
    )


def _luban(table: pd.DataFrame, job: dict[str, Any], classes: np.ndarray, codes: np.ndarray) -> float:
    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.foundation import zoo
    from luban.foundation.adapt import adapt

    kind: Literal["binary", "multiclass"] = "binary" if len(classes) == 2 else "multiclass"
    columns = tuple(job["columns"])
    task = Task(kind=kind, target=job["target"], inputs=columns, metric="accuracy", classes=tuple(classes))
    rows = pa.table({name: pa.array(table[name].fillna("").astype(str).tolist()) for name in columns})
    adapted = adapt(
        zoo.find("minilm").load(),
        "full",
        task,
        columns,
        Examples(table=rows, target=codes.astype(np.int64)),
        None,
        parameters={"epochs": 1, "batch": BATCH, "probe_first": False},
        effort=Effort(threads=job["threads"]),
    )
    seconds, done = 0.0, 0
    for point in adapted.history:
        if point.speed:
            learnt = min((point.step - done) * BATCH, len(table) - done * BATCH)
            seconds, done = seconds + learnt / point.speed, point.step
    return min(done * BATCH, len(table)) / seconds


def _trainer(table: pd.DataFrame, job: dict[str, Any], classes: np.ndarray, codes: np.ndarray) -> float:
    tokenizer = tokenizer_of()
    watch = Watch(math.inf)
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(table, job["columns"], tokenizer, codes)
        trainer(tokenizer, rows, len(classes), folder, watch, epochs=1, valid=None).train()
    return len(table) / watch.seconds


if __name__ == "__main__":
    main()
