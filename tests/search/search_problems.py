"""Small real problems, as arguments of a study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import datasets

from luban.core.schema import Column, Schema
from luban.core.task import Task


def problem(name: str = "breast_cancer", **changes: Any) -> dict[str, Any]:
    """Return the arguments of a study that say what it is about."""
    data = getattr(datasets, f"load_{name}")()
    names = tuple(f"x{place}" for place in range(data.data.shape[1]))
    kinds = {
        "breast_cancer": ("binary", "roc_auc"),
        "wine": ("multiclass", "log_loss"),
        "diabetes": ("regression", "rmse"),
    }
    kind, metric = kinds[name]
    classes = tuple(str(label) for label in data.target_names) if kind != "regression" else ()
    task = {"kind": kind, "target": "y", "inputs": names, "metric": metric, "classes": classes, **changes}
    return {
        "task": Task(**task),
        "schema": Schema(columns=tuple(Column(name=one, kind="number", storage="double") for one in names)),
        "table": pa.table({one: data.data[:, place] for place, one in enumerate(names)}),
        "target": data.target.astype(np.int64 if classes else np.float64),
    }
