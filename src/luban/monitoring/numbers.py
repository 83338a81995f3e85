"""Numbers: a compact form of their distribution, and how far later numbers are from it.

A baseline keeps its distribution function at up to `POINTS` of its own values. A window is sorted once and counted
between these points; every figure follows from the two rows of counts. The points belong to the baseline, so what is
compared is the same for every window, and costs a sort.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from luban.monitoring.measured import Measured

POINTS = 512
"""Points at which a distribution is kept: quantiles, or all values where there are no more."""

LEAST = 0.05
"""Largest gap of two distribution functions from which a shift counts; a shift by 0.25 standard deviations is 0.1."""

LEAST_SHARE = 0.01
"""Share of the rows from which values out of range count."""

BINS = 10
"""Bins of the population stability index (Siddiqi 2006)."""

_SMALLEST = 1e-4


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The distribution of numbers.

    Parameters
    ----------
    points : tuple of float
        Rising, the last the largest value seen.
    counts : tuple of int
        Values at or below each point and above the one before it.
    low, high : float
        The smallest and largest value.
    mean, deviation : float
        Mean and standard deviation.
    """

    points: tuple[float, ...]
    counts: tuple[int, ...]
    low: float
    high: float
    mean: float
    deviation: float

    @property
    def rows(self) -> int:
        """How many numbers there were."""
        return sum(self.counts)


def numbers(values: np.ndarray) -> Numbers | None:
    """Return the compact distribution of finite values, None where there are none.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n,), float64 without NaN.
    """
    if not len(values):
        return None
    ordered = np.sort(values)
    points = np.unique(ordered[np.linspace(0, len(ordered) - 1, min(POINTS, len(ordered))).round().astype(np.int64)])
    counts = np.diff(np.searchsorted(ordered, points, side="right"), prepend=0)
    return Numbers(
        points=tuple(points.tolist()),
        counts=tuple(counts.tolist()),
        low=float(ordered[0]),
        high=float(ordered[-1]),
        mean=float(ordered.mean()),
        deviation=float(ordered.std()),
    )


def moved(base: Numbers, values: np.ndarray) -> tuple[list[Measured], tuple[int, ...]]:
    """Return how far values are from the baseline (their drift, and how many lie out of its range), and their counts.

    The chance of a drift is that of the better of two tests, doubled for having chosen: Kolmogorov and Smirnov's, which
    sees any change, and Wilcoxon, Mann and Whitney's, which sees a shift in far fewer rows. Both are of the counts
    between points, by which the first can only become more careful. The effect is the largest gap of the two
    distribution functions, 0 to 1.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (n,), float64 without NaN, n > 0.
    """
    ordered = np.sort(values)
    before = np.append(np.array(base.counts, dtype=np.float64), 0.0)
    counts = _counted(base, ordered)
    after = counts.astype(np.float64)
    rows, known = len(values), base.rows
    gaps = np.cumsum(after) / rows - np.cumsum(before) / known
    gap = float(np.abs(gaps).max())
    above, chance = _ranks(before, after)
    figures = {
        "ks": gap,
        "psi": stability(_grouped(before, before), _grouped(after, before)),
        "wasserstein": _transport(base, ordered, gaps),
        "above": above,
        "mean": float(ordered.mean()),
    }
    drift = Measured(
        what="drift",
        chance=min(1.0, 2 * min(chance, _smirnov(gap, rows, known))),
        effect=gap,
        least=LEAST,
        figures=figures,
    )
    return [drift, _outside(base, ordered)], tuple(counts.tolist())


def _counted(base: Numbers, ordered: np.ndarray) -> np.ndarray:
    """Return how many sorted values lie at or below each point and above the one before; the last beyond all."""
    reached = np.searchsorted(ordered, np.array(base.points), side="right")
    return np.diff(reached, prepend=0, append=len(ordered))


def stability(before: np.ndarray, after: np.ndarray) -> float:
    """Return the population stability index of two rows of counts."""
    old = np.maximum(before / before.sum(), _SMALLEST)
    new = np.maximum(after / after.sum(), _SMALLEST)
    return float(((new - old) * np.log(new / old)).sum())


def _grouped(counts: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return counts in about `BINS` bins that held equally many values before."""
    place = np.minimum((np.cumsum(before) - before / 2) * BINS / before.sum(), BINS - 1).astype(np.int64)
    place[-1] = place[-2]  # the last bin is open: it takes what is beyond all that was seen
    grouped: np.ndarray = np.bincount(place, weights=counts)[np.unique(place)]
    return grouped


def _smirnov(gap: float, rows: int, known: int) -> float:
    """Return the chance of such a gap (Smirnov 1948), with Stephens' (1970) correction for few rows."""
    from scipy.special import kolmogorov

    size = math.sqrt(rows * known / (rows + known))
    return float(kolmogorov((size + 0.12 + 0.11 / size) * gap))


def _ranks(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return the chance that a new value is above an old one, and the p-value of that (Mann and Whitney 1947)."""
    known, rows = before.sum(), after.sum()
    above = float((after * (np.cumsum(before) - before / 2)).sum() / (known * rows))
    both = before + after
    total = known + rows
    tied = 1 - float(((both**3 - both) / (total**3 - total)).sum()) if total > 1 else 0.0
    if tied <= 0:
        return above, 1.0
    error = math.sqrt(tied * (total + 1) / (12 * known * rows))
    return above, math.erfc(abs(above - 0.5) / error / math.sqrt(2))


def _transport(base: Numbers, ordered: np.ndarray, gaps: np.ndarray) -> float:
    """Return the distance that the mean value has to be carried (Wasserstein 1969), in standard deviations before."""
    points = np.array(base.points)
    # Between two points the gap of the distribution functions is taken to change evenly.
    inner = float((np.diff(points) * (np.abs(gaps[:-2]) + np.abs(gaps[1:-1])) / 2).sum())
    beyond = np.searchsorted(ordered, [points[0], points[-1]])
    outer = (points[0] - ordered[: beyond[0]]).sum() + (ordered[beyond[1] :] - points[-1]).sum()
    scale = base.deviation or max(abs(base.mean), 1.0)
    return float((inner + outer / len(ordered)) / scale)


def _outside(base: Numbers, ordered: np.ndarray) -> Measured:
    """Return how many values are smaller or larger than any before.

    Of values of one distribution each is beyond all of m earlier ones with a chance that is itself Beta(2, m - 1)
    distributed (Wilks 1941), so their number is beta-binomial.
    """
    from scipy.stats import betabinom

    rows, known = len(ordered), base.rows
    low, high = np.searchsorted(ordered, base.low, side="left"), np.searchsorted(ordered, base.high, side="right")
    count = int(low + rows - high)
    chance = float(betabinom.sf(count - 1, rows, 2, max(known - 1, 1))) if count else 1.0
    return Measured(
        what="out_of_range",
        chance=chance,
        effect=count / rows,
        least=LEAST_SHARE,
        figures={"share": count / rows, "below": float(low), "above": float(rows - high)},
    )
