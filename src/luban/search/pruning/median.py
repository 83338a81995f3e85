"""Give up what is worse than half of the trials before it were at the same step."""

from __future__ import annotations

import math
from collections import defaultdict


class MedianRule:
    """Stops a trial whose loss so far is above the median of the earlier trials' at the same step.

    Parameters
    ----------
    startup : int
        So many trials are never stopped, and the median is taken of at least so many.
    warmup : int
        Steps below this one never stop a trial.

    Notes
    -----
    Golovin et al. (2017), Google Vizier, section 3.2.2. A trial's loss so far is its lowest up to the step.

    Examples
    --------
    >>> rule = MedianRule(startup=2)
    >>> [rule(trial, 0, loss) for trial, loss in enumerate([0.5, 0.4, 0.45, 0.46, 0.3])]
    [False, False, False, True, False]
    """

    def __init__(self, startup: int = 4, warmup: int = 0) -> None:
        self._startup = startup
        self._warmup = warmup
        self._best: dict[int, float] = {}
        self._at: defaultdict[int, dict[int, float]] = defaultdict(dict)

    def __call__(self, trial: int, step: int, loss: float) -> bool:
        """Take the loss of a trial at a step and return whether it should stop."""
        best = min(self._best.get(trial, math.inf), math.inf if math.isnan(loss) else loss)
        self._best[trial] = best
        others = sorted(value for other, value in self._at[step].items() if other != trial)
        self._at[step][trial] = best
        if step < self._warmup or len(others) < self._startup:
            return False
        middle = len(others) // 2
        median = others[middle] if len(others) % 2 else (others[middle - 1] + others[middle]) / 2
        return best > median
