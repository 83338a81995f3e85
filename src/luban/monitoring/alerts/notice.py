"""What somebody is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message about one rule.

    Parameters
    ----------
    event : {"alarm", "reminder", "recovery", "test"}
    figure : str
        The figure that crossed the limit (of a pattern the one furthest over it).
    since : datetime, optional
        When the alarm came on.
    """

    event: Literal["alarm", "reminder", "recovery", "test"]
    alert: str
    deployment: str
    figure: str
    value: float | None
    comparison: str
    limit: float
    moment: datetime
    since: datetime | None = None

    @property
    def line(self) -> str:
        """The message in one line."""
        rule = f"{self.figure} {self.comparison} {self.limit:g}"
        if self.event == "test":
            return f"Test of the alert {self.alert} on {self.deployment} ({rule})"
        seen = "unknown" if self.value is None else f"{self.value:.4g}"
        word = {"alarm": "Alarm", "reminder": "Still", "recovery": "Recovered"}[self.event]
        return f"{word}: {self.alert} on {self.deployment}: {rule}, now {seen}"
