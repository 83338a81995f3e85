"""Approvals list: what waits for a person's yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from luban.core.operation import operation
from luban.core.update import Approval

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="approvals:read", name="approvals list")
def approvals_list(
    workspace: Workspace, state: Literal["open", "approved", "rejected", "expired", "superseded"] | None = "open"
) -> tuple[Approval, ...]:
    """List what waits for a person's yes, newest first.

    Parameters
    ----------
    state
        Those that are `open` (as without it), `approved`, `rejected`, `expired` or `superseded`.
    """
    return tuple(workspace.approvals.list(state=state))
