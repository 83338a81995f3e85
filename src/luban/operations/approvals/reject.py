"""Approvals reject: a person says no, and the champion stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.core.update import Approval

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="approvals:write", name="approvals reject", existing=True)
def approvals_reject(workspace: Workspace, approval: str, *, reason: str = "") -> Approval:
    """Say no: the champion stays. Who said so, when and why is in the audit chain.

    Parameters
    ----------
    approval
        Its identifier, or the beginning of it.
    reason
        Why.
    """
    return workspace.approvals.reject(workspace.approvals.get(approval).id, reason=reason)
