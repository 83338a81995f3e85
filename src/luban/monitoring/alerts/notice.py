"""What somebody is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time, from JSON
from typing import Literal


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
    id : str
        Its own; one that comes twice is told once by a receiver that remembers it.
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
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def line(self) -> str:
        """The message in one line."""
        rule = f"{self.figure} {self.comparison} {self.limit:g}"
        if self.event == "test":
            return f"Test of the alert {self.alert} on {self.deployment} ({rule})"
        seen = "unknown" if self.value is None else f"{self.value:.4g}"
        word = {"alarm": "Alarm", "reminder": "Still", "recovery": "Recovered"}[self.event]
        return f"{word}: {self.alert} on {self.deployment}: {rule}, now {seen}"
