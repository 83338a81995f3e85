"""Curves: how a figure of a fit went, step by step, in few enough points to be kept and drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 200
"""So many points of a curve are enough to draw it."""


def chosen(steps: Sequence[int], most: int = LONGEST) -> list[int]:
    """Return the places of at most so many steps (two at least), spread evenly; the first and the last are kept.

    Steps may lie closer in one part than in another, as those of a curve that was thinned before and went on.

    Parameters
    ----------
    steps : sequence of int
        Ascending.
    """
    if len(steps) <= most:
        return list(range(len(steps)))
    first = steps[0]
    width = max(1, steps[-1] - first) / (most - 1)
    kept: dict[int, int] = {}
    for place, step in enumerate(steps[:-1]):
        kept.setdefault(min(int((step - first) / width), most - 2), place)
    return [*sorted(kept.values()), len(steps) - 1]


def thinned(points: Sequence[tuple[int, float]], most: int = LONGEST) -> tuple[tuple[int, float], ...]:
    """Return at most so many points of a curve, see `chosen`; none that is no number."""
    finite = [(int(step), float(value)) for step, value in points if math.isfinite(value)]
    return tuple(finite[place] for place in chosen([step for step, _ in finite], most))
