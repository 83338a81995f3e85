"""Limits of gates, as numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luban.core.errors import InputError

if TYPE_CHECKING:
    from luban.core.contest import Limit


def number(gate: str, limit: Limit, low: float = 0.0, high: float = math.inf) -> float:
    """Return a limit as a number from `low` to `high`, or raise `InputError`."""
    try:
        value = float(limit)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        bounds = f"from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
        raise InputError(f"the limit of the gate {gate!r} must be a number {bounds}", seen=repr(limit)[:80])
    return value
