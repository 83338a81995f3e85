"""Audit log list: who did what, when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class AuditLine:
    """One entry of the audit chain."""

    number: int
    moment: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


@operation(permission="audit:read", name="audit-log list")
def audit_log_list(
    workspace: Workspace, *, subject: str | None = None, limit: int = 50, offset: int = 0
) -> tuple[AuditLine, ...]:
    """List who changed what, the newest first: aliases, deployments, tokens, roles, and every verb that writes.

    Parameters
    ----------
    subject
        What it was done to, such as `model/adult`, `deployment/shop`, `token/ci` or `role/viewer`; by default all.
    limit, offset
        How many to list, and how many of the newest to leave out.
    """
    found = workspace.audit.entries(subject=subject, limit=limit, offset=offset, newest=True)
    names = AuditLine.__dataclass_fields__
    return tuple(AuditLine(**{name: getattr(one, name) for name in names}) for one in found)
