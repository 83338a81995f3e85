"""Updates show: one update, with all that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.report import Report
from luban.core.run import Run

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class UpdateShown:
    """One update.

    Attributes
    ----------
    choice : mapping
        The ways that were tried, with their scores on rows of their own.
    report : Report
        What the gates said.
    """

    run: Run
    subject: str
    outcome: str
    champion: str
    challenger: str
    why: str
    reason: str
    way: str
    learnt: int
    fresh: int
    choice: Mapping[str, Any] = field(default_factory=dict)
    report: Report | None = None


@operation(permission="models:read", name="updates show")
def updates_show(workspace: Workspace, run: str) -> UpdateShown:
    """Show one update: why it began, how the challenger was made, what each gate measured, and what it came to.

    Parameters
    ----------
    run
        Its identifier, or the beginning of it.
    """
    from luban.operations.updates.list_ import line
    from luban.operations.updating.subject import OPERATION

    found = workspace.runs.get(run)
    if found.operation != OPERATION:
        raise InputError("this run is no update", seen=f"run {found.id} is a {found.operation}")
    known, tags = line(workspace, found), workspace.runs.tags(found.id)
    digest = tags.get("report")
    return UpdateShown(
        run=found,
        subject=known.subject,
        outcome=known.outcome,
        champion=known.champion,
        challenger=known.challenger,
        why=known.why,
        reason=known.reason,
        way=tags.get("way", ""),
        learnt=tags.get("learnt", 0),
        fresh=tags.get("fresh_rows", 0),
        choice=tags.get("choice", {}),
        report=None if digest is None else workspace.reports.get(digest),
    )
