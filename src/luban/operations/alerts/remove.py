"""Alerts remove: forget a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.operations.alerts.list_ import AlertShown, shown

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="alerts:write", name="alerts remove", existing=True)
def alerts_remove(workspace: Workspace, name: str) -> AlertShown:
    """Forget an alert rule; an alarm that is on ends without a word.

    Parameters
    ----------
    name
        The alert.
    """
    return shown(workspace.alerts.remove(name))
