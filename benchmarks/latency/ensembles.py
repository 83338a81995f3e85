"""The models that are measured: three learners' ensemble on a real data set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.automl.sets import SETS
from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.data.conform import conform
from luban.data.infer import infer_schema
from luban.data.target import labelled_rows
from luban.data.task import infer_task
from luban.export.onnx.build import build
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted, fitted

if TYPE_CHECKING:
    from pathlib import Path

LEARNERS = ("lightgbm", "catboost", "linear")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A fitted ensemble, its graph, and rows that it has not seen."""

    name: str
    fitted: Fitted
    graph: bytes
    build_seconds: float
    rows: pa.Table


def ensemble(name: str, data: Path, rounds: int) -> Measured:
    """Return the ensemble of a data set; `rounds` trees for each booster."""
    table = pq.read_table(data / name / "data.parquet")
    found = infer_task(table, infer_schema(table), SETS[name].target)
    task, schema = found.task, found.schema.select(found.task.inputs)
    kept, target = labelled_rows(task, table[task.target])
    table = table.take(kept)
    order = np.random.default_rng(7).permutation(len(target))
    training, held_out = order[: int(0.7 * len(order))], order[int(0.7 * len(order)) :]
    inputs = conform(table.take(training), schema.columns).table
    examples = Examples(table=inputs, target=target[training])
    members = []
    for learner_name in LEARNERS:
        learner = plugins.create("learners", learner_name)
        parameters: dict[str, Any] = dict(learner.suggestions(task)[0].parameters)
        if learner_name != "linear":
            parameters["rounds"] = rounds
        effort = Effort(deadline=time.monotonic() + 600, threads=2)
        members.append(learner.fit(task, schema, examples, None, parameters=parameters, effort=effort))
    model = Composite(
        members=tuple(members),
        weights=tuple([1 / len(members)] * len(members)),
        task=task,
        temperature=1.1 if task.classifies else 1.0,
    )
    ready = fitted(model, schema)
    started = time.perf_counter()
    graph = build(ready)
    seconds = time.perf_counter() - started
    rows = table.take(held_out).select([column.name for column in schema.columns])
    return Measured(name=name, fitted=ready, graph=graph, build_seconds=seconds, rows=rows)
