"""Rows whose distributions are known, for tests and benchmarks of monitoring."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from luban.core.schema import Column

NUMBERS = 14
CATEGORIES = 6
COLUMNS = (
    *(Column(name=f"n{i}", kind="number") for i in range(NUMBERS)),
    *(Column(name=f"c{i}", kind="category") for i in range(CATEGORIES)),
)


def rows(count: int, seed: int, *, shift: float = 0.0) -> pa.Table:
    """Return rows of 20 columns: normal, log-normal, whole and uniform numbers, some missing, and categories.

    Parameters
    ----------
    shift : float
        Standard deviations by which the first column, which is normal, is moved.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, pa.Array] = {}
    for i in range(NUMBERS):
        values = (
            generator.normal(size=count),
            generator.lognormal(0, 1, count),
            generator.poisson(3, count).astype(float),
            generator.random(count),
        )[i % 4]
        gone = generator.random(count) < (0.1 if i % 5 == 4 else 0.0)
        found[f"n{i}"] = pa.array(values + (shift if i == 0 else 0.0), mask=gone)
    for i in range(CATEGORIES):
        levels = np.array([f"level {j}" for j in range(2 + 4 * i)])
        weights = 1 / np.arange(1, len(levels) + 1)
        found[f"c{i}"] = pa.array(generator.choice(levels, count, p=weights / weights.sum()))
    return pa.table(found)
