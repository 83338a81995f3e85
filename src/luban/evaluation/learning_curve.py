"""The learning curve: what more rows would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import InputError
from luban.core.report import Evidence, Finding
from luban.evaluation.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.protocols import Metric


def learning_curve(metric: Metric, sizes: Sequence[int], scores: Sequence[Sequence[float]]) -> Finding:
    """Return how the score grows with the rows learnt from, and what twice the rows would bring.

    Parameters
    ----------
    metric : Metric
    sizes : sequence of int
        Rows learnt from, ascending, at least two.
    scores : sequence of sequences of float
        For each size the scores of its repeats (folds or seeds), at least one.

    Notes
    -----
    A power law, score = limit + slope * rows ** -rate, is fitted to the means (Viering and Loog 2021); with fewer
    than three sizes, or where no rate fits better than another, it says what was seen and foretells nothing.

    Raises
    ------
    InputError
        If there are fewer than two sizes, they do not ascend, or a size has no score.
    """
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)) or len(sizes) != len(scores) or not all(map(len, scores)):
        raise InputError(
            "a learning curve needs at least two ascending sizes, each with at least one score",
            seen=f"sizes {list(sizes)}, scores {[list(one) for one in scores]}"[:200],
        )
    rows = np.asarray(sizes, dtype=np.float64)
    means = np.array([np.mean(one) for one in scores])
    lows, highs = (np.array([edge(one) for one in scores]) for edge in (min, max))
    sign = 1 if metric.greater_is_better else -1
    what = f"{metric.name} went from {number(means[0])} at {sizes[0]:,} rows to {number(means[-1])} at {sizes[-1]:,}"
    shown = [(int(n), float(m), float(a), float(b)) for n, m, a, b in zip(rows, means, lows, highs, strict=True)]
    gain = None
    law = _power_law(rows, means * sign)
    if law is not None:
        limit, slope, rate = law
        expected = sign * float(limit + slope * (2 * rows[-1]) ** -rate)
        gain = expected - means[-1]
        what += f"; twice the rows would bring it to about {number(expected)}"
        shown.append((int(2 * rows[-1]), expected, expected, expected))
    return Finding(
        what=what,
        value=gain,
        evidence=(
            Evidence(
                title="Learning curve" if gain is None else "Learning curve (the last point is foretold)",
                columns=("rows", metric.name, "lowest", "highest"),
                rows=tuple(shown),
                drawing="line",
                x="rows learnt from",
                y=metric.name,
            ),
        ),
    )


def _power_law(rows: np.ndarray, scores: np.ndarray) -> tuple[float, float, float] | None:
    """Return (limit, slope <= 0, rate) of the best power law through rising scores, None where there is none."""
    if len(rows) < 3:
        return None
    best, found = np.inf, None
    for rate in np.linspace(0.1, 2.0, 96):
        matrix = np.stack([np.ones_like(rows), rows**-rate], axis=1)
        (limit, slope), *_ = np.linalg.lstsq(matrix, scores, rcond=None)
        error = float(((matrix @ [limit, slope] - scores) ** 2).sum())
        if slope <= 0 and error < best:
            best, found = error, (float(limit), float(slope), float(rate))
    return found
