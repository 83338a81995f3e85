"""Whether a learner's work fits into the time, in words for the leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.protocols import Suitable, Unsuitable
from luban.modalities.tabular.encoding import TABULAR

if TYPE_CHECKING:
    from luban.core.schema import Schema

_ROUNDS = 30


def unreadable(schema: Schema) -> Unsuitable | None:
    """Return that nothing is left for a learner of tables where no input is of a kind that it reads."""
    if any(column.kind in TABULAR for column in schema.inputs):
        return None
    kinds = sorted({column.kind for column in schema.inputs})
    return Unsuitable(f"it learns from columns of a table, and the inputs are of kind {', '.join(kinds) or 'none'}")


def rounds_fit(cells: float, seconds: float, *, cells_per_second: float) -> Suitable | Unsuitable:
    """Return whether some 30 rounds over so many cells (rows x columns x margins) fit into the time."""
    needed = _ROUNDS * cells / cells_per_second
    if needed > seconds:
        return Unsuitable(f"{_ROUNDS} rounds would take about {needed:.0f} s and there are {seconds:.0f} s")
    return Suitable()


def at_most(what: str, count: int, limit: int) -> Suitable | Unsuitable:
    """Return whether there are few enough of something."""
    if count > limit:
        return Unsuitable(f"{count:,} {what} are more than the {limit:,} it is good for")
    return Suitable()
