"""Which columns of a window have moved, with a bound on false alarms over all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.core.schema import Column
from luban.monitoring import levels, numbers, vectors
from luban.monitoring.baseline import hashed, present
from luban.monitoring.discovery import adjusted
from luban.monitoring.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.monitoring.baseline import ColumnBaseline

FALSE_DISCOVERIES = 0.02
"""False discovery rate over all tests of a window: where nothing has changed, one window in fifty gives an alarm."""

LEAST_MISSING = 0.01
"""Change of the share of missing values from which it counts."""

FEWEST = 30
"""Values that a column needs in a window to be compared."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One column of a window beside its baseline.

    Parameters
    ----------
    rows, missing : int
        Of the window.
    measured : tuple of Measured
    chances : tuple of float
        Adjusted for the number of tests of the window, one a measurement.
    flags : tuple of str
        What of the column has changed beyond chance and by enough to matter.
    after : tuple of int
        Rows of the window by the baseline's points (the last beyond all) or levels.
    """

    base: ColumnBaseline
    rows: int
    missing: int
    measured: tuple[Measured, ...]
    chances: tuple[float, ...] = ()
    flags: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    vanished: bool = False

    @property
    def name(self) -> str:
        """Of the column."""
        return self.base.name

    def of(self, what: str) -> Measured | None:
        """Return the measurement of this name, if there is one."""
        return next((one for one in self.measured if one.what == what), None)

    def chance(self, what: str) -> float:
        """Return the adjusted chance of a measurement, 1 where there is none."""
        found = (chance for one, chance in zip(self.measured, self.chances, strict=True) if one.what == what)
        return next(found, 1.0)


def compare(
    base: Sequence[ColumnBaseline],
    table: pa.Table,
    *,
    embedded: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> tuple[Compared, ...]:
    """Compare each column of a window with its baseline.

    A change counts where its chance, adjusted by Benjamini and Hochberg over all tests of the window, is at most
    `FALSE_DISCOVERIES`, and its effect is large enough to matter: with many rows everything is significant.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical; a column that is not there has vanished.
    embedded : mapping of str to numpy.ndarray, optional
        Vectors of some values of a column, shape (n, d), by the backbone of its baseline.
    """
    return judged([_compared(one, table, (embedded or {}).get(one.name), seed) for one in base])


def judged(found: Sequence[Compared]) -> tuple[Compared, ...]:
    """Return what was measured with adjusted chances, and what of it counts."""
    chances = adjusted(np.array([one.chance for column in found for one in column.measured]))
    done: list[Compared] = []
    place = 0
    for column in found:
        mine = chances[place : place + len(column.measured)]
        place += len(mine)
        flags = [
            one.what
            for one, chance in zip(column.measured, mine, strict=True)
            if chance <= FALSE_DISCOVERIES and abs(one.effect) >= one.least
        ]
        done.append(Compared(**{**vars(column), "chances": tuple(map(float, mine)), "flags": tuple(flags)}))
    return tuple(done)


def _compared(base: ColumnBaseline, table: pa.Table, embedded: np.ndarray | None, seed: int) -> Compared:
    rows = table.num_rows
    column = Column(name=base.name, kind=base.kind)  # type: ignore[arg-type]
    if base.name not in table.column_names:
        return Compared(base=base, rows=rows, missing=rows, measured=(), vanished=True)
    held = present(column, table[base.name])
    known = len(held)
    vanished = known == 0 and base.missing < base.rows and rows >= FEWEST
    measured: list[Measured] = [_missing(base, rows, rows - known)] if rows else []
    after: tuple[int, ...] = ()
    if known >= FEWEST:
        if base.numbers is not None and isinstance(held, np.ndarray):
            found, after = numbers.moved(base.numbers, held)
            measured += found
        elif base.levels is not None:
            counts = levels.counts_of(held)
            measured += levels.moved(base.levels, counts)
            after = tuple(counts.get(level, 0) for level in base.levels.counts)
        elif base.embedded is not None and embedded is not None:
            measured += vectors.moved(base.embedded.vectors, embedded, seed)
        elif base.vectors is not None:
            made = hashed(column, held, vectors.ROWS, seed + 1)
            if made is not None and made.shape[1] == base.vectors.width:
                measured += vectors.moved(base.vectors, made, seed)
    return Compared(
        base=base, rows=rows, missing=rows - known, measured=tuple(measured), after=after, vanished=vanished
    )


def _missing(base: ColumnBaseline, rows: int, missing: int) -> Measured:
    """Return the change of the share of missing values, by Fisher's exact test, both ways."""
    from scipy.stats import hypergeom

    total, both = rows + base.rows, missing + base.missing
    if not 0 < both < total:
        chance = 1.0
    else:
        law = (total, both, rows)
        chance = min(1.0, 2 * float(min(hypergeom.cdf(missing, *law), hypergeom.sf(missing - 1, *law))))
    change = missing / rows - (base.missing / base.rows if base.rows else 0.0)
    return Measured(
        what="missing",
        chance=chance,
        effect=change,
        least=LEAST_MISSING,
        figures={"share": missing / rows, "before": base.missing / base.rows if base.rows else 0.0},
    )
