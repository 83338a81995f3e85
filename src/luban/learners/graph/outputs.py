"""The names of a graph's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.core.task import Task


def value_output(task: Task) -> str:
    """Return the name of the output that holds what `Model.predict` returns."""
    if task.classifies:
        return "probabilities"
    return "quantiles" if task.quantiles else "prediction"
