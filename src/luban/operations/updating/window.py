"""Windows: how far back a challenger learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import InputError

if TYPE_CHECKING:
    from luban.operations.updating.rows import Rows

SMALLEST = 200
"""Rows of a window that is chosen for the user, at least."""

_SHARES = (1.0, 0.5, 0.25)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The newest so many rows."""

    words: str
    rows: int

    def of(self, rows: Rows) -> Rows:
        """Return the rows of the window."""
        return rows.part(max(0, len(rows) - self.rows))


def windows(asked: str, rows: int) -> tuple[Window, ...]:
    """Return the windows to choose from, the widest first.

    Parameters
    ----------
    asked : str
        ``all``, a number of rows, a share such as ``50%``, or ``auto``: all, the newest half and the newest quarter.
    rows : int
        That there are.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if asked == "auto":
        sizes = {round(share * rows): share for share in _SHARES if share == 1.0 or share * rows >= SMALLEST}
        return tuple(
            Window(words="all rows" if share == 1.0 else f"the newest {share:.0%}", rows=size)
            for size, share in sizes.items()
        )
    if asked == "all":
        return (Window(words="all rows", rows=rows),)
    try:
        number = float(asked.removesuffix("%"))
    except ValueError:
        number = -1.0
    share = asked.endswith("%")
    if number <= 0 or (share and number > 100) or (not share and number != int(number)):
        raise InputError(
            "this is no window of rows",
            seen=repr(asked)[:60],
            remedy="Write all, auto, a number of rows such as 5000, or a share such as 50%.",
        )
    size = min(rows, round(number / 100 * rows) if share else int(number))
    return (Window(words=f"the newest {asked}" + ("" if share else " rows"), rows=max(1, size)),)
