"""One budget as a hard deadline for everything that a command does."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When the parts of a piece of work must be done; times are values of `time.monotonic`.

    Parameters
    ----------
    started : float
        When the clock of the budget began to run.
    deadline : float
        When everything must be done; infinite where the budget is counted in work units.
    finalise : float
        Seconds kept at the end for what follows the study: export, evaluation, saving.
    """

    started: float
    deadline: float = math.inf
    finalise: float = 0.0

    @classmethod
    def of(cls, budget: float | None, *, started: float | None = None, finalise: float | None = None) -> Plan:
        """Return the plan of a budget in seconds, or of one without a clock where it is None.

        The seconds kept for the end are 7 % of the budget, at least 1.5 s (but never more than a quarter) and at most
        60 s, unless they are given.
        """
        begun = time.monotonic() if started is None else started
        if budget is None:
            return cls(started=begun)
        kept = min(0.25 * budget, max(1.5, min(60.0, 0.07 * budget))) if finalise is None else finalise
        return cls(started=begun, deadline=begun + budget, finalise=kept)

    @property
    def timed(self) -> bool:
        """Whether there is a clock at all."""
        return math.isfinite(self.deadline)

    @property
    def budget(self) -> float:
        """Seconds of the whole, infinite where there is no clock."""
        return self.deadline - self.started

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def study_deadline(self) -> float:
        """When the study, refit included, must be done."""
        return self.deadline - self.finalise

    def study_remaining(self) -> float:
        """Seconds left to the study, never negative."""
        return max(0.0, self.study_deadline - time.monotonic())

    def with_finalise(self, seconds: float) -> Plan:
        """Return the plan with this many seconds kept for the end, as measured meanwhile."""
        return replace(self, finalise=min(seconds, 0.5 * self.budget) if self.timed else 0.0)
