"""Alerts list: the rules, and how each stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.alert import AlertRule, AlertState
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class AlertShown:
    """A rule and how it stands, without anything secret.

    Attributes
    ----------
    to : str
        Who is told; of an address only the host.
    since : datetime, optional
        When its alarm came on; None while it is off.
    value : float, optional
        The figure at the last look.
    """

    alert: str
    on: str
    rule: str
    to: str
    signed: bool = False
    quiet: str | None = None
    repeat: float | None = None
    since: datetime | None = None
    told: datetime | None = None
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class AlertList:
    """The alert rules of a workspace."""

    alerts: tuple[AlertShown, ...]


@operation(permission="alerts:read", name="alerts list")
def alerts_list(workspace: Workspace, *, on: str | None = None) -> AlertList:
    """List the alert rules: what they look at, whom they tell, and since when an alarm is on.

    Parameters
    ----------
    on
        Only those on this deployment.
    """
    return AlertList(alerts=tuple(shown(rule, state) for rule, state in workspace.alerts.list(on)))


def shown(rule: AlertRule, state: AlertState | None = None) -> AlertShown:
    """Return a rule as it may be shown."""
    from luban.monitoring.alerts import channel

    known = state or AlertState()
    return AlertShown(
        alert=rule.name,
        on=rule.deployment,
        rule=f"{rule.figure} {rule.comparison} {rule.limit:g}",
        to=channel.shown(rule.to),
        signed=rule.secret is not None,
        quiet=rule.quiet,
        repeat=rule.repeat,
        since=known.since,
        told=known.told,
        value=known.value,
    )
