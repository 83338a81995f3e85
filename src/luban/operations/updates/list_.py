"""Updates list: what was done to keep models good, and what is done by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.core.update import UpdatePolicy

if TYPE_CHECKING:
    from luban.core.run import Run
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class UpdateLine:
    """One update.

    Attributes
    ----------
    outcome : str
        As in `luban.operations.update.Updated`, or the state of a run that did not come to its end.
    """

    run: str
    subject: str
    started: datetime
    outcome: str
    champion: str = ""
    challenger: str = ""
    why: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PolicyLine:
    """A name that is updated by itself, and by which policy."""

    name: str
    on: str
    budget: float
    approve: bool
    policy: UpdatePolicy


@dataclass(frozen=True, kw_only=True)
class UpdateList:
    """Updates, newest first, and what is updated by itself."""

    updates: tuple[UpdateLine, ...]
    policies: tuple[PolicyLine, ...] = ()


@operation(permission="models:read", name="updates list")
def updates_list(workspace: Workspace, name: str | None = None, *, limit: int = 50) -> UpdateList:
    """List updates, newest first, with what each came to, and the names that a server updates by itself.

    Parameters
    ----------
    name
        Only those of this deployment or model.
    limit
        At most so many.
    """
    from luban.operations.updating.subject import OPERATION

    found = []
    for run in workspace.runs.list(operation=OPERATION, limit=10_000 if name is not None else limit):
        if name in (None, run.request.get("name")):
            found.append(line(workspace, run))
        if len(found) == limit:
            break
    policies = [
        PolicyLine(name=one, on=policy.on, budget=policy.budget, approve=policy.approve, policy=policy)
        for one, policy in workspace.policies.list().items()
        if name in (None, one)
    ]
    return UpdateList(updates=tuple(found), policies=tuple(policies))


def line(workspace: Workspace, run: Run) -> UpdateLine:
    """Return what is known of one update."""
    tags = workspace.runs.tags(run.id)
    error = run.error or {}
    return UpdateLine(
        run=run.id,
        subject=str(run.request.get("name", "")),
        started=run.started,
        outcome=tags.get("outcome") or run.state,
        champion=tags.get("champion", ""),
        challenger=tags.get("challenger", ""),
        why=tags.get("why", ""),
        reason=tags.get("reason") or str(error.get("happened", "")),
    )
