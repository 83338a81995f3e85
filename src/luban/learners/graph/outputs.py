"""The names of a graph's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.learners.link import trimmed

if TYPE_CHECKING:
    from luban.core.task import Task


def value_output(task: Task) -> str:
    """Return the name of the output that holds what `Model.predict` returns."""
    if task.classes:
        return "probabilities"
    return "quantiles" if task.quantiles else "prediction"


def values_of(task: Task, found: np.ndarray) -> np.ndarray:
    """Return what `Model.predict` returns, from that output."""
    values = np.asarray(found, dtype=np.float64)
    return trimmed(values) if task.kind == "tokens" else values
