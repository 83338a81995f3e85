"""Predictions that only rise, or only fall, with a column: ``Task.constraints["monotonic"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.protocols import Unsuitable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.core.task import Task
    from luban.modalities.tabular.encoding import Encoding


def wanted(task: Task) -> Mapping[str, int]:
    """Return the direction, 1 or -1, of each column that predictions must be monotonic in."""
    found: Mapping[str, int] = task.constraints.get("monotonic", {})
    return found


def refused(task: Task, why: str) -> Unsuitable | None:
    """Return that a learner which cannot hold to a direction is unsuitable where one is wanted."""
    columns = ", ".join(wanted(task))
    return Unsuitable(f"{why}, and predictions must be monotonic in {columns}") if columns else None


def trees_refuse(task: Task) -> Unsuitable | None:
    """Return that boosted trees are unsuitable where they cannot hold to a direction.

    Several outputs share the trees' shape or their sum of probabilities, so that no direction of one is that of all.
    """
    return refused(task, f"its trees have {task.outputs} outputs") if task.kind in ("multiclass", "quantile") else None


def directions(task: Task, encoding: Encoding) -> list[int] | None:
    """Return 1, -1 or 0 for each feature; None where nothing is wanted."""
    asked = wanted(task)
    if not asked:
        return None
    own: dict[tuple[int, ...], tuple[str, int]] = {
        (task.inputs.index(name),): (name, direction) for name, direction in asked.items()
    }
    found = []
    for name, sources in zip(encoding.names, encoding.sources, strict=True):
        column, direction = own.get(sources, ("", 0))
        found.append(direction if name == column else 0)
    return found


def silenced(task: Task, encoding: Encoding, matrix: np.ndarray) -> np.ndarray:
    """Return the matrix to learn from, constant where a feature could undo a direction.

    A ratio or a product may fall while the column behind it rises. No tree splits a feature that is constant, so such
    features have no say in the model.
    """
    signs = directions(task, encoding)
    if signs is None:
        return matrix
    held = {task.inputs.index(name) for name in wanted(task)}
    undoing = [
        place
        for place, (sign, sources) in enumerate(zip(signs, encoding.sources, strict=True))
        if sign == 0 and held.intersection(sources)
    ]
    if not undoing:
        return matrix
    quiet = matrix.copy()
    quiet[:, undoing] = 0.0
    return quiet
