"""Alerts test: send a notice now, to see whether it arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class AlertTested:
    """A notice that was taken."""

    alert: str
    to: str
    line: str


@operation(permission="alerts:write", name="alerts test", existing=True)
def alerts_test(workspace: Workspace, name: str) -> AlertTested:
    """Send a test notice for an alert at once, quiet hours or not; an error says why it cannot be sent.

    Parameters
    ----------
    name
        The alert.
    """
    from luban.monitoring.alerts import channel
    from luban.monitoring.alerts.notice import Notice
    from luban.store.clock import now

    rule = workspace.alerts.get(name)
    notice = Notice(
        event="test",
        alert=rule.name,
        deployment=rule.deployment,
        figure=rule.figure,
        value=None,
        comparison=rule.comparison,
        limit=rule.limit,
        moment=now(),
    )
    channel.send(rule, notice)
    return AlertTested(alert=rule.name, to=channel.shown(rule.to), line=notice.line)
