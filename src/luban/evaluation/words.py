"""How figures are written in the sentences of a report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.evaluation.bootstrap import Interval


def number(value: float) -> str:
    """Return a number with four significant digits, a true minus sign, and an exponent only where it is needed."""
    if not math.isfinite(value):
        return "undefined"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}".replace("-", "−")
    digits = 0 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value: float) -> str:
    """Return a number with its sign: ``+0.85``, ``−0.2``."""
    return ("+" if value > 0 else "") + number(value)


def significant(value: float) -> float:
    """Return the number with six significant digits: all that a table or a drawing needs."""
    return float(f"{float(value):.6g}")


def within(interval: Interval) -> str:
    """Return ``0.93 (95 % interval 0.92 to 0.94)``."""
    if not math.isfinite(interval.low):
        return number(interval.value)
    return f"{number(interval.value)} (95 % interval {number(interval.low)} to {number(interval.high)})"
