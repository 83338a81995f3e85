"""The model's own metric of two versions, each on labelled rows of its own, and when one is worse beyond chance.

Which rows a version answered is decided by a hash of their values, as by lot, so the two scores are of independent
samples; the doubt about each is that of the bootstrap. Somebody looks again and again as labels come, so not every look
is a test: the next one is due when the fewer of the two samples has grown by a quarter, and the chance that is spent on
the k-th of them is 6 / (pi k)^2 of the whole, whose sum is the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CHANCE = 0.001
"""Of all tests of a canary together to accuse one that is as good as the champion."""

FEWEST = 30
"""Labelled rows of each version."""

GROWN = 1.25
NOTICEABLE = 0.02
"""By how much of the champion's score the canary's must be worse to be worth a rollback."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The score of one version on its labelled rows.

    Parameters
    ----------
    metric : str
        The model's own one.
    greater_is_better : bool
    rows : int
    value : float
    error : float
        Standard error, by the bootstrap.
    """

    metric: str
    greater_is_better: bool
    rows: int
    value: float
    error: float


def due(rows: int, before: int) -> bool:
    """Return whether samples, the fewer of which has so many rows, are to be tested after the last test at `before`."""
    return rows >= FEWEST and rows >= GROWN * before


def worse(canary: Measured, champion: Measured, test: int) -> bool:
    """Return whether a canary is worse, by the test of this number, from 1.

    Examples
    --------
    >>> good = Measured(metric="roc_auc", greater_is_better=True, rows=900, value=0.9, error=0.01)
    >>> bad = Measured(metric="roc_auc", greater_is_better=True, rows=60, value=0.6, error=0.05)
    >>> worse(bad, good, 1), worse(bad, good, 100), worse(good, bad, 1)
    (True, False, False)
    """
    gap = (champion.value - canary.value) * (1 if champion.greater_is_better else -1)
    if gap <= 0 or gap < NOTICEABLE * abs(champion.value):
        return False
    chance = CHANCE * 6 / (math.pi * test) ** 2
    freedom = min(canary.rows, champion.rows) - 1
    return gap > _student(chance, freedom) * math.hypot(canary.error, champion.error)


def reason(canary: str, champion: str, theirs: Measured, its: Measured) -> str:
    """Return why a canary is rolled back, in words with both scores."""
    scores = [f"{one.value:.4g} ± {one.error:.2g} on {one.rows:,} labelled rows" for one in (theirs, its)]
    return f"{theirs.metric} was {scores[0]} with {canary}, {scores[1]} with {champion}"


def _student(chance: float, freedom: int) -> float:
    """Return what Student's t exceeds with this chance (Cornish and Fisher's expansion: of three terms)."""
    normal = NormalDist().inv_cdf(1 - chance)
    first = (normal**3 + normal) / 4
    second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
    return normal + first / freedom + second / freedom**2
