"""When a learner that works in rounds stops: early stopping, the deadline, and whoever prunes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.budget import Effort


def patience(rows: int, most: int = 100) -> int:
    """Return how many rounds without a better loss are waited for at least.

    As AutoGluon does for boosting: 300 rounds up to 10,000 rows, fewer above, 20 at least; here no more
    than `most`.
    """
    return int(min(most, max(300.0 * min(1.0, 10_000.0 / max(rows, 1)), 20.0)))


class Watch:
    """Decides after each round whether another one is worth it.

    Parameters
    ----------
    effort : Effort
        Rounds end when the next one, if it took as long as the slowest so far, would miss the deadline.
    patience : int
        Rounds without a better loss after which training ends; it grows to 0.3 times the best round plus 20.
    report : callable, optional
        Told each loss; training ends where it returns False.

    Attributes
    ----------
    best : int
        Rounds up to the lowest loss, or all rounds where no loss was given.
    """

    def __init__(
        self, *, effort: Effort, patience: int, report: Callable[[int, float], bool] | None = None, reserve: float = 0.0
    ) -> None:
        self.best = 0
        self.loss = math.inf
        self._effort = effort
        self._patience = patience
        self._report = report
        self._reserve = reserve
        self._slowest = 0.0
        self._last = time.monotonic()

    def goes_on(self, rounds: int, loss: float | None) -> bool:
        """Take the validation loss after so many rounds (None without validation)."""
        now = time.monotonic()
        self._slowest = max(self._slowest, now - self._last)
        self._last = now
        in_time = self._effort.remaining > self._slowest + self._reserve
        if loss is None:
            self.best = rounds
            return in_time
        if self.best == 0 or loss < self.loss:
            self.best, self.loss = rounds, loss
        if self._report is not None and not self._report(rounds, loss):
            return False
        return in_time and rounds - self.best < max(self._patience, 0.3 * self.best + 20)
