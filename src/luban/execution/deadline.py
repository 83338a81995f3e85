"""One budget as a hard deadline for everything that a command does."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


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

        The seconds kept for the end are 7 % of the budget, at least 1.5 s and at most 60 s, unless they are given. A
        budget below about 6 s keeps less, down to a tenth: a model that has learnt something is worth more than an
        end in comfort, and the end may take a little longer than is kept for it.
        """
        begun = time.monotonic() if started is None else started
        if budget is None:
            return cls(started=begun)
        kept = (
            min(max(0.1 * budget, 0.4 * (budget - 2.5)), max(1.5, min(60.0, 0.07 * budget)))
            if finalise is None
            else finalise
        )
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
