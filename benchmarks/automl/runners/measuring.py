"""How every system is measured once its model is saved and loaded again: one row at a time, then the whole test set."""

from __future__ import annotations

import statistics
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WARM_UP = 5
MOST_ROWS = 200
MOST_SECONDS = 30.0
BATCHES = 3


def seconds(call: Callable[[], Any]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def row_latency(predict: Callable[[Any], Any], rows: Sequence[Any]) -> dict[str, float]:
    """Milliseconds of predicting one row: at most 200 rows or 30 seconds, after five warm-up calls.

    The rows are prepared by the caller, so that building a one-row frame is not counted.
    """
    for row in rows[:WARM_UP]:
        predict(row)
    taken: list[float] = []
    started = time.perf_counter()
    for row in rows[:MOST_ROWS]:
        taken.append(1000 * seconds(partial(predict, row)))
        if time.perf_counter() - started > MOST_SECONDS:
            break
    ordered = sorted(taken)
    return {
        "latency_p50_ms": statistics.median(ordered),
        "latency_p95_ms": ordered[int(0.95 * (len(ordered) - 1))],
        "latency_rows": len(ordered),
    }


def batch_speed(predict: Callable[[], Any], rows: int) -> dict[str, float]:
    """Rows a second over the whole test set: the median of three calls."""
    return {"batch_rows_per_second": rows / statistics.median(seconds(predict) for _ in range(BATCHES))}


def folder_bytes(folder: Path) -> int:
    """Add up the sizes of all files under a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def versions(*packages: str) -> dict[str, str]:
    """Look up the installed version of each package; ``absent`` where there is none."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
