"""What the evaluation of quantiles shows: whether each covers the share of rows that it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation.words import number

if TYPE_CHECKING:
    from luban.core.task import Task

# A gap smaller than this is of no practical weight, however many rows prove it.
_NEGLIGIBLE = 0.02


def wilson(share: float, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen on `rows` rows (Wilson 1927)."""
    z = 1.959964
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return float(middle - half), float(middle + half)


def coverage(task: Task, target: np.ndarray, prediction: np.ndarray) -> tuple[Finding, dict[str, Any]]:
    """Return the share of rows at or below each quantile, and the width and coverage of the intervals they make."""
    rows = len(target)
    levels = task.quantiles
    observed = (target[:, None] <= prediction).mean(axis=0)
    limits = [wilson(float(share), rows) for share in observed]
    off = [
        abs(share - level)
        for share, level, (low, high) in zip(observed, levels, limits, strict=True)
        if not low <= level <= high and abs(share - level) > _NEGLIGIBLE
    ]
    order = np.argsort(levels)
    pairs = [(order[i], order[-1 - i]) for i in range(len(order) // 2)]
    spans = tuple(
        (
            f"{number(levels[low])} to {number(levels[high])}",
            float(levels[high] - levels[low]),
            float(((target >= prediction[:, low]) & (target <= prediction[:, high])).mean()),
            float(np.median(prediction[:, high] - prediction[:, low])),
        )
        for low, high in pairs
    )
    finding = Finding(
        what=(
            f"{len(off)} of {len(levels)} quantiles cover another share of the rows than they promise"
            if off
            else "Each quantile covers about the share of the rows that it promises"
        ),
        verdict="warn" if off else "pass",
        value=float(np.abs(observed - np.asarray(levels)).max()),
        threshold=_NEGLIGIBLE,
        remedy="Conformalise the quantiles on rows that were not learnt from." if off else "",
        evidence=(
            Evidence(
                title="Coverage of the quantiles",
                columns=("promised", "observed", "perfect"),
                rows=tuple((float(levels[i]), float(observed[i]), float(levels[i])) for i in order),
                drawing="line",
                x="promised share",
                y="observed share",
            ),
            Evidence(
                title="Quantiles",
                columns=("quantile", "observed", "low", "high"),
                rows=tuple((float(levels[i]), float(observed[i]), *limits[i]) for i in order),
            ),
            Evidence(title="Intervals", columns=("from, to", "promised", "observed", "median width"), rows=spans),
        ),
    )
    return finding, {number(level): float(share) for level, share in zip(levels, observed, strict=True)}
