"""The command: see ``README.md`` beside this file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import stats

from benchmarks.monitoring.labels import labels
from luban.core.schema import Column
from luban.monitoring.baseline import column_baselines
from luban.monitoring.drift import compare

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "monitoring"))
import monitored_rows as known

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    chosen = parser.parse_args()
    text = json.dumps({name: MEASURES[name]() for name in chosen.only}, indent=2)
    print(text)
    if chosen.out:
        chosen.out.write_text(text)


def speed() -> dict[str, Any]:
    """Return seconds for a window of 100,000 rows x 20 numbers, and of mixed columns, beside SciPy and plain PSI."""
    generator = np.random.default_rng(0)
    names = [f"x{i}" for i in range(20)]
    columns = [Column(name=name, kind="number") for name in names]
    before, after = (pa.table({name: generator.normal(size=100_000) for name in names}) for _ in range(2))
    base, mixed = column_baselines(columns, before), column_baselines(known.COLUMNS, known.rows(100_000, seed=1))
    window = known.rows(100_000, seed=2)
    old, new = ([table[name].to_numpy() for name in names] for table in (before, after))
    return {
        "20 numbers: all figures and tests": median(lambda: compare(base, after)),
        "14 numbers and 6 categories: all figures and tests": median(lambda: compare(mixed, window)),
        "20 numbers: scipy.stats.ks_2samp alone": median(
            lambda: [stats.ks_2samp(one, other, method="asymp") for one, other in zip(old, new, strict=True)]
        ),
        "20 numbers: PSI in ten bins with NumPy alone": median(
            lambda: [psi(one, other) for one, other in zip(old, new, strict=True)]
        ),
        "making the baseline of 20 numbers": median(lambda: column_baselines(columns, before)),
    }


def psi(before: np.ndarray, after: np.ndarray) -> float:
    """Return the population stability index as it is usually written."""
    edges = np.quantile(before, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    old, new = (np.histogram(one, edges)[0] / len(one) for one in (before, after))
    return float(((new - old) * np.log(np.maximum(new, 1e-4) / np.maximum(old, 1e-4))).sum())


def alarms(windows: int = 1000) -> dict[str, float]:
    """Return the share of null windows with any alarm, and of shifted ones where the shift was found."""
    base = column_baselines(known.COLUMNS, known.rows(5000, seed=1))
    null = [any(one.flags for one in compare(base, known.rows(1000, seed=10_000 + i))) for i in range(windows)]
    shifted = ["drift" in compare(base, known.rows(1000, seed=20_000 + i, shift=0.25))[0].flags for i in range(windows)]
    raw = [
        any(
            stats.ks_2samp(one, other).pvalue < 0.05
            for one, other in _numbers(known.rows(5000, seed=1), known.rows(1000, seed=10_000 + i))
        )
        for i in range(100)
    ]
    return {
        "windows": windows,
        "null windows with an alarm": float(np.mean(null)),
        "shifts by 0.25 deviations found": float(np.mean(shifted)),
        "null windows with an alarm by raw KS at 5 %": float(np.mean(raw)),
    }


def _numbers(before: pa.Table, after: pa.Table) -> list[tuple[np.ndarray, np.ndarray]]:
    names = [one.name for one in known.COLUMNS if one.kind == "number"]
    return [(before[name].drop_null().to_numpy(), after[name].drop_null().to_numpy()) for name in names]


def median(work: Callable[[], Any]) -> float:
    """Return the median seconds of some runs."""
    work()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return round(float(np.median(seconds)), 4)


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {"speed": speed, "alarms": alarms, "labels": labels}

if __name__ == "__main__":
    main()
