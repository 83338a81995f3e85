"""Calls of the runtime in this process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.data.conform import conform
from luban.export.onnx.parity import parity
from luban.serving.runtime import Runtime

if TYPE_CHECKING:
    from benchmarks.latency.ensembles import Measured

WARM, CALLS, BATCH = 200, 5000, 50_000


def one_row(measured: Measured) -> dict[str, float]:
    """Return p50 and p99, in milliseconds, of a call with one row as a dict."""
    runtime = Runtime.from_fitted(measured.fitted, measured.graph)
    rows = measured.rows.slice(0, 500).to_pylist()
    taken = []
    for call in range(WARM + CALLS):
        row = rows[call % len(rows)]
        started = time.perf_counter()
        runtime.predict_row(row)
        taken.append(time.perf_counter() - started)
    milliseconds = 1e3 * np.array(taken[WARM:])
    return {"p50_ms": float(np.median(milliseconds)), "p99_ms": float(np.percentile(milliseconds, 99))}


def batch(measured: Measured) -> dict[str, float]:
    """Return rows a second of one call with many rows, through ONNX and in the Python form."""
    rows = measured.rows
    many = rows.take(np.arange(BATCH) % rows.num_rows)
    found = {}
    for engine, graph in (("onnx", measured.graph), ("python", None)):
        runtime = Runtime.from_fitted(measured.fitted, graph)
        runtime.predict(many.slice(0, 1000))
        started = time.perf_counter()
        runtime.predict(many)
        found[f"{engine}_rows_per_second"] = BATCH / (time.perf_counter() - started)
    return found


def graph_facts(measured: Measured) -> dict[str, Any]:
    """Return size, time to build and parity of the graph."""
    canonical = conform(measured.rows.slice(0, 5000), measured.fitted.signature.inputs).table
    return {
        "graph_mb": len(measured.graph) / 1e6,
        "build_seconds": measured.build_seconds,
        "parity": parity(measured.fitted, measured.graph, canonical),
    }
