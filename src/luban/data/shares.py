"""How a share is written in the sentences of a report."""

from __future__ import annotations


def percent(share: float) -> str:
    """Return ``31 %``, with the digits that tell a small share from none and a large one from all."""
    digits = 0
    while digits < 4 and 0 < share < 1 and round(100 * share, digits) in (0, 100):
        digits += 1
    return f"{100 * share:.{digits}f} %"
