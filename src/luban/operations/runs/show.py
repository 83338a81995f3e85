"""Runs show: one record of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation
from luban.core.run import Run

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class RunShown:
    """A run and its trials."""

    run: Run
    trials: tuple[Run, ...]


@operation(permission="runs:read", name="runs show")
def runs_show(workspace: Workspace, run: str) -> RunShown:
    """Show one run with its trials.

    Parameters
    ----------
    run
        Its identifier, or the beginning of it.
    """
    found = workspace.runs.get(run)
    return RunShown(run=found, trials=tuple(workspace.runs.list(parent=found.id, limit=1000)))
