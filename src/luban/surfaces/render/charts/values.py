"""The columns of evidence as what can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.surfaces.render.charts.ticks import labels, ticks
from luban.surfaces.render.text import clean, is_number, shown, width

if TYPE_CHECKING:
    from luban.core.report import Evidence


@dataclass(frozen=True)
class Across:
    """The first column as places on an axis: itself where it holds numbers, else its order.

    Parameters
    ----------
    places : list of float
        Of each row that can be drawn.
    rows : list of int
        Which rows these are.
    names : list of str or None
        What stands at the places where they are no numbers.
    """

    places: list[float]
    rows: list[int]
    names: list[str] | None

    def marks(self, low: float, high: float, room: float) -> list[tuple[float, str]]:
        """Return ticks with texts for an axis of `room` font sizes."""
        if self.names is None:
            marks = ticks(low, high, 6)
            return list(zip(marks, labels(marks), strict=True))
        widest = max((width(name) for name in self.names), default=1) + 1.5
        step = max(1, round(len(self.names) * min(widest, 12) / max(room, 1)))
        return [(float(i), self.names[i]) for i in range(0, len(self.names), step)]


def across(evidence: Evidence) -> Across:
    """Return the first column of evidence as places."""
    first = [row[0] for row in evidence.rows]
    if all(is_number(value) or value is None for value in first):
        rows = [i for i, value in enumerate(first) if is_number(value)]
        return Across([float(first[i]) for i in rows], rows, None)
    return Across([float(i) for i in range(len(first))], list(range(len(first))), [shown(value) for value in first])


def series(evidence: Evidence, column: int) -> list[float | None]:
    """Return a column as numbers, None where there is none."""
    return [float(row[column]) if is_number(row[column]) else None for row in evidence.rows]


def series_names(evidence: Evidence, first: int = 1) -> list[str]:
    """Return the names of the series."""
    return [clean(name) for name in evidence.columns[first:]]


def extent(columns: list[list[float | None]]) -> tuple[float, float] | None:
    """Return the smallest and the largest number, None where there is none."""
    numbers = [value for column in columns for value in column if value is not None]
    return (min(numbers), max(numbers)) if numbers else None


def summary(names: list[str], columns: list[list[float | None]]) -> str:
    """Return in words what range each series covers."""
    parts = []
    for name, column in list(zip(names, columns, strict=True))[:8]:
        reach = extent([column])
        parts.append(f"{name} from {shown(reach[0])} to {shown(reach[1])}" if reach else f"{name} without values")
    return "; ".join(parts)
