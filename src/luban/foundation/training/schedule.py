"""The rate over the course of a training: a linear rise, then half a cosine down to nothing."""

from __future__ import annotations

import math


def factor(progress: float, warm_up: float) -> float:
    """Return the share of the largest rate at this progress (0 to 1).

    Progress is the larger of the shares of steps and of time that are over, so that a deadline meets a finished
    schedule.

    Examples
    --------
    >>> [round(factor(one, 0.1), 3) for one in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up)))
