"""Give up, inside a fit, what cannot catch up even if it goes on falling as fast as it fell lately."""

from __future__ import annotations

import math
from statistics import median


class HopelessRule:
    """Stops a trial whose loss, carried on in a straight line, would not reach the median of those that are done.

    Curves of validation loss bend: each stretch of rounds brings less than the one before. So a straight line from the
    loss half as many steps ago through the loss now is the best that a trial can hope for, and a slow learner, which
    is behind at every step but falls steadily, is not stopped for being slow, as comparing losses step by step would.

    Parameters
    ----------
    startup : int
        So many fits must be done before one is stopped.
    warmup : float
        Share of the median steps of those that are done, before which none is stopped.

    Notes
    -----
    After Domhan et al. (2015), Speeding up automatic hyperparameter optimization by extrapolation of learning curves,
    with a bound where they have a model. It is carried on to the most steps that any fit took, or twice its own.

    Examples
    --------
    >>> rule = HopelessRule(startup=1)
    >>> [rule("good", step, 1 / step) for step in range(1, 9)].count(True)
    0
    >>> rule.done("good")
    >>> [rule("flat", step, 1.0) for step in range(1, 5)]
    [False, False, True, True]
    """

    def __init__(self, startup: int = 4, warmup: float = 0.25) -> None:
        self._startup = startup
        self._warmup = warmup
        self._curves: dict[str, list[tuple[int, float]]] = {}
        self._ends: list[tuple[int, float]] = []

    def __call__(self, trial: str, step: int, loss: float) -> bool:
        """Take the loss of a trial after so many steps and return whether it should stop."""
        curve = self._curves.setdefault(trial, [])
        best = min(loss if math.isfinite(loss) else math.inf, curve[-1][1] if curve else math.inf)
        curve.append((step, best))
        if len(self._ends) < self._startup or step < self._warmup * median(end for end, _ in self._ends):
            return False
        earlier = [point for point in curve if 2 * point[0] <= step]
        if not earlier or (math.isinf(earlier[-1][1]) and math.isfinite(best)):
            return False  # it has only just begun
        then, loss_then = earlier[-1]
        horizon = max(2 * step, *(end for end, _ in self._ends))
        fall = (loss_then - best) / (step - then) if math.isfinite(loss_then) else 0.0
        return best - fall * (horizon - step) > median(end for _, end in self._ends)

    def done(self, trial: str) -> None:
        """Take note that a trial has come to its end by itself."""
        curve = self._curves.pop(trial, [])
        if curve:
            self._ends.append(curve[-1])
