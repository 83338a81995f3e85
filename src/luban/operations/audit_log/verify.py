"""Audit log verify: nobody changed what was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class AuditVerified:
    """A chain that is whole.

    Attributes
    ----------
    head : str
        The hash of its last entry: keep it elsewhere, and give it as the anchor another time.
    """

    entries: int
    head: str


@operation(permission="audit:read", name="audit-log verify")
def audit_log_verify(workspace: Workspace, *, anchor: str | None = None) -> AuditVerified:
    """Check every link of the audit chain: an entry that was changed, left out, put in or cut off is found.

    Parameters
    ----------
    anchor
        The head that an earlier verification gave, kept elsewhere: even a chain that was rebuilt as a whole is found.
    """
    entries = workspace.audit.verify(anchor)
    return AuditVerified(entries=entries, head=workspace.audit.head()[1])
