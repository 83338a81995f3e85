"""What steps cost and what time is left, so that the last step and its evaluation end before the deadline."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

FORWARD = 0.4
"""What a row costs in evaluation, as a share of what it costs in training, until that is measured."""


@dataclass
class Clock:
    """The time of one training.

    Parameters
    ----------
    deadline : float
        Value of `time.monotonic`; infinite where work is counted in steps alone.
    spent : float
        Seconds of the same training before it was interrupted.
    """

    deadline: float
    spent: float = 0.0
    began: float = field(default_factory=time.monotonic)
    unit: float = 0.0
    slowest: float = 0.0
    evaluation: float | None = None

    @property
    def timed(self) -> bool:
        """Whether there is a deadline."""
        return math.isfinite(self.deadline)

    @property
    def elapsed(self) -> float:
        """Seconds of work, those before an interruption included."""
        return self.spent + time.monotonic() - self.began

    @property
    def remaining(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - time.monotonic()

    def progress(self, reserve: float) -> float:
        """Return the share of the time that is over, with `reserve` seconds kept at the end; 0 without a deadline."""
        if not self.timed:
            return 0.0
        whole = self.elapsed + self.remaining - reserve
        return min(1.0, self.elapsed / whole) if whole > 0 else 1.0

    def took(self, seconds: float, steps: int) -> None:
        """Note that a batch of so many steps (rows times their length) took so many seconds."""
        cost = seconds / max(steps, 1)
        self.unit = cost if not self.unit else 0.9 * self.unit + 0.1 * cost
        self.slowest = max(cost, 0.98 * self.slowest)

    def evaluating(self, steps: int) -> float:
        """Return the seconds that an evaluation over so many steps takes, measured or guessed."""
        return self.evaluation if self.evaluation is not None else FORWARD * self.unit * steps

    def has_room(self, steps: int, reserve: float) -> bool:
        """Return whether a batch of so many steps, and then `reserve` seconds, fit before the deadline."""
        return not self.timed or 1.2 * self.slowest * steps + reserve < self.remaining
