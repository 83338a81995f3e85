"""Approvals show: what a person is asked, and all that the answer needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.core.report import Report
from luban.core.update import Approval

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ApprovalShown:
    """A question with the report of the gates behind it."""

    approval: Approval
    report: Report | None = None


@operation(permission="approvals:read", name="approvals show")
def approvals_show(workspace: Workspace, approval: str) -> ApprovalShown:
    """Show what a person is asked: the challenger, what it is compared with, and what each gate measured.

    Parameters
    ----------
    approval
        Its identifier, or the beginning of it.
    """
    from luban.review.gates.run import CHECK

    found = workspace.approvals.get(approval)
    digest = workspace.models.get(found.reference).reports.get(CHECK)
    return ApprovalShown(approval=found, report=None if digest is None else workspace.reports.get(digest))
