"""A rule on a monitored figure, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Comparison = Literal[">", ">=", "<", "<="]


@dataclass(frozen=True, kw_only=True)
class AlertRule:
    """Whom to tell when a figure of a deployment crosses a limit.

    Parameters
    ----------
    name : str
    deployment : str
        Subject of the windows whose figures are looked at.
    figure : str
        Its name, such as ``"drift.share"`` or ``"columns.*.psi"``.
    comparison, limit
        The alarm is on while ``figure comparison limit`` holds.
    to : str
        ``"log"``, ``"mailto:..."``, an ``https://`` address, or ``"env:NAME"`` of a variable that holds one of these.
    secret : str, optional
        Name of the environment variable that holds the key with which webhooks are signed; never the key.
    quiet : str, optional
        Hours in which nobody is told: ``"22:00-07:00"`` in UTC or ``"22:00-07:00 Europe/Berlin"``.
    repeat : float, optional
        Seconds after which an alarm that goes on is told again; without them once.
    """

    name: str
    deployment: str
    figure: str
    comparison: Comparison
    limit: float
    to: str
    secret: str | None = None
    quiet: str | None = None
    repeat: float | None = None


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """How a rule stands.

    Parameters
    ----------
    since : datetime, optional
        When the alarm came on; None while it is off.
    told : datetime, optional
        When somebody was last told of this alarm.
    value : float, optional
        The figure at the last look.
    notice : mapping, optional
        What is to be told, kept until it was: who fails or is killed meanwhile leaves it to the next look.
    claimed : datetime, optional
        When somebody last set out to tell it.
    """

    since: datetime | None = None
    told: datetime | None = None
    value: float | None = None
    notice: Mapping[str, Any] | None = None
    claimed: datetime | None = None
