"""Categories: how often each level came, and how far later rows are from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.monitoring.measured import Measured
from luban.monitoring.numbers import stability

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 10_000
"""Levels that a baseline keeps by name; the others are one."""

LEAST = 0.05
"""Share of the rows that have another level than before, from which a change counts."""

LEAST_UNSEEN = 0.01
"""Share of the rows with levels never seen, from which they count."""

_SHOWN = 20
_EXPECTED = 5.0  # rows that a level must be expected to have to stand for itself in the chi-square test


@dataclass(frozen=True, kw_only=True)
class Levels:
    """How often each level came.

    Parameters
    ----------
    counts : mapping of str to int
        The commonest levels first, at most `MOST`.
    others : int
        Rows of levels beyond those; where there are any, whether a level is new cannot be told.
    single : int
        Levels that came once.
    """

    counts: Mapping[str, int]
    others: int = 0
    single: int = 0

    @property
    def rows(self) -> int:
        """How many rows had a level."""
        return sum(self.counts.values()) + self.others


def counts_of(values: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """Return how often each level comes, the commonest first; missing values are left out."""
    found = pc.value_counts(values.cast(pa.string()))
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return dict(sorted(((level, count) for level, count in pairs if level), key=lambda pair: (-pair[1], pair[0])))


def levels(counts: Mapping[str, int]) -> Levels | None:
    """Return the compact form of counts by level, None where there are none."""
    if not counts:
        return None
    kept = list(counts.items())
    return Levels(
        counts=dict(kept[:MOST]),
        others=sum(count for _, count in kept[MOST:]),
        single=sum(count == 1 for count in counts.values()),
    )


def moved(base: Levels, counts: Mapping[str, int]) -> list[Measured]:
    """Return how far the levels of a window are from the baseline: their drift, and how many were never seen.

    The chance of a drift is that of Pearson's (1900) chi-square, with rare levels taken together. The effect is the
    total variation distance: the share of rows that would need another level for the shares to be as before.

    Parameters
    ----------
    counts : mapping of str to int
        Rows by level, at least one.
    """
    rows, known = sum(counts.values()), base.rows
    before = np.array([*base.counts.values(), base.others], dtype=np.float64)
    named = np.array([counts.get(level, 0) for level in base.counts], dtype=np.float64)
    after = np.append(named, rows - named.sum())
    old, new = _pooled(before, after)
    statistic, chance = _chi_square(old, new)
    figures = {
        "psi": stability(*_commonest(old, new)),
        "chi_square": statistic,
        "distance": float(np.abs(old / known - new / rows).sum() / 2),
    }
    found = [Measured(what="drift", chance=chance, effect=figures["distance"], least=LEAST, figures=figures)]
    if not base.others:
        found.append(_unseen(base, int(after[-1]), rows))
    return found


def _pooled(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts with levels that are too rare for the test taken together."""
    both = before + after
    smaller = min(before.sum(), after.sum()) / both.sum()
    rare = both * smaller < _EXPECTED
    if not rare.any():
        return before, after
    old, new = (np.append(one[~rare], one[rare].sum()) for one in (before, after))
    if (old[-1] + new[-1]) * smaller < _EXPECTED and len(old) > 1:  # the rare ones together are still too rare
        place = int(np.argmin((old + new)[:-1]))
        old[place], new[place] = old[place] + old[-1], new[place] + new[-1]
        old, new = old[:-1], new[:-1]
    return old, new


def _commonest(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of the commonest levels and of all others: rare ones would look like a shift by chance."""
    order = np.argsort(-before, kind="stable")
    if len(order) <= _SHOWN:
        return before, after
    old, new = (np.append(one[order[: _SHOWN - 1]], one[order[_SHOWN - 1 :]].sum()) for one in (before, after))
    return old, new


def _chi_square(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    from scipy.special import chdtrc

    both = before + after
    if len(both) < 2:
        return 0.0, 1.0
    known, rows = before.sum(), after.sum()
    expected = both * rows / (known + rows)
    # Of a table of two rows the statistic follows from one of them.
    statistic = float((((after - expected) ** 2) / expected).sum() * (known + rows) / known)
    return statistic, float(chdtrc(len(both) - 1, statistic))


def _unseen(base: Levels, count: int, rows: int) -> Measured:
    """Return how many rows have a level that was never seen.

    The chance that the next row has one is about the share of levels seen once (Good 1953).
    """
    from scipy.stats import betabinom

    chance = float(betabinom.sf(count - 1, rows, base.single + 1, max(base.rows - base.single, 1))) if count else 1.0
    return Measured(
        what="unseen", chance=chance, effect=count / rows, least=LEAST_UNSEEN, figures={"share": count / rows}
    )
