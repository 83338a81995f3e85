"""Approvals approve: a person says yes, and the challenger takes over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.core.update import Approval, Promoted

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Approved:
    """The answer, what moved with it at once, and in words what was left alone."""

    approval: Approval
    promoted: Promoted
    note: str


@operation(permission="approvals:write", name="approvals approve", existing=True)
def approvals_approve(workspace: Workspace, approval: str, *, reason: str = "") -> Approved:
    """Say yes: the challenger takes its champion's place. Who said so, when and why is in the audit chain.

    It is refused where the champion is another one by now, or the question has expired; and to who asked it, once there
    are tokens or roles: then another person has to.

    Parameters
    ----------
    approval
        Its identifier, or the beginning of it.
    reason
        Why.
    """
    from luban.core.serial import from_json
    from luban.core.update import Promotion
    from luban.operations.loading import checked
    from luban.operations.updating.moved import told

    asked = workspace.approvals.get(approval)
    checked(workspace, asked.reference)
    names = ("champion", "challenger", "deployment")
    promotion = from_json(Promotion, {name: asked.detail.get(name) for name in names})
    moved = workspace.promotions.promote(promotion, reason=reason or "approved", approval=asked.id)
    return Approved(approval=workspace.approvals.get(asked.id), promoted=moved, note=told(workspace, promotion, moved))
