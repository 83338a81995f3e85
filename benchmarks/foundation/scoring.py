"""One scorer for every system: it sees predictions and true labels, never a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.foundation.failure import RunFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.foundation.bench import Bench


def accuracy(truth: Sequence[object], predicted: Sequence[object]) -> float:
    """Return the share of rows whose label, as text, is the true one."""
    if len(truth) != len(predicted):
        raise RunFailed(f"{len(predicted)} predictions for {len(truth)} rows")
    return float(np.mean(np.asarray(truth, dtype=str) == np.asarray(predicted, dtype=str)))


def of_luban(bench: Bench, model: str, rows: str, truth: Sequence[object] | None = None) -> float:
    """Let a fresh process predict a file or folder with a registered model, and return the accuracy."""
    output = bench.folder / f"{model}.parquet"
    bench.luban("predict", model, rows, "-o", output)
    if truth is None:
        truth = labels_of(rows)
    return accuracy(truth, pd.read_parquet(output)["prediction"].tolist())


def labels_of(folder: str) -> list[str]:
    """Return the class of each file of a folder of class folders, in the order in which Luban reads them."""
    root = Path(folder)
    return [inner.name for inner in sorted(root.iterdir()) for _ in sorted(inner.iterdir())]
