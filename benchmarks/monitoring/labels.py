"""Labels that come long after their predictions: a million of them, stored and joined."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from luban.store import Workspace
from luban.store.predictions import COLUMNS

ROWS, PART = 1_000_000, 50_000
_INPUTS = 10
_NAME = "shop"
_WANTED = ("model", "arm", "output.prediction")


def labels() -> dict[str, Any]:
    """Return seconds to add a million labels in another order than the predictions, and to join them."""
    generator = np.random.default_rng(0)
    ids = pa.array([f"{number:032x}" for number in range(ROWS)])
    with tempfile.TemporaryDirectory() as folder, Workspace.open(Path(folder) / ".luban") as workspace:
        for start in range(0, ROWS, PART):
            workspace.predictions.append(_predictions(ids.slice(start, PART), start, generator))
        order = generator.permutation(ROWS)
        truth = pa.array(generator.choice(["yes", "no"], ROWS))
        began = time.perf_counter()
        for start in range(0, ROWS, PART):
            places = pa.array(order[start : start + PART])
            workspace.labels.add(_NAME, ids.take(places), None, truth.take(places))
        added = time.perf_counter() - began
        began = time.perf_counter()
        met = workspace.labels.joined(_NAME, columns=_WANTED)
        joined = time.perf_counter() - began
        began = time.perf_counter()
        whole = workspace.labels.joined(_NAME)
        return {
            "predictions": ROWS,
            "added, seconds": round(added, 2),
            "joined for the quality, seconds": round(joined, 2),
            "joined with all columns, seconds": round(time.perf_counter() - began, 2),
            "met": [met.num_rows, whole.num_rows],
            "columns": [met.num_columns, whole.num_columns],
        }


def _predictions(ids: pa.Array, start: int, generator: np.random.Generator) -> pa.Table:
    rows = len(ids)
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start / 1000)
    given: dict[str, Any] = {
        "request_id": ids,
        "row": pa.array(np.zeros(rows, np.int32)),
        "moment": pa.repeat(pa.scalar(moment, COLUMNS.field("moment").type), rows),
        "deployment": pa.repeat(pa.scalar(_NAME), rows),
        "model": pa.repeat(pa.scalar("model/1"), rows),
        "arm": pa.repeat(pa.scalar("champion"), rows),
        "latency_ms": pa.array(np.ones(rows, np.float32)),
        "subject": pa.nulls(rows, pa.string()),
        "consent": pa.nulls(rows, pa.bool_()),
    }
    given |= {f"input.x{column}": generator.normal(size=rows) for column in range(_INPUTS)}
    positive = generator.random(rows)
    given["output.prediction"] = pa.array(np.where(positive > 0.5, "yes", "no"))
    return pa.table({**given, "output.probability_no": 1 - positive, "output.probability_yes": positive})
