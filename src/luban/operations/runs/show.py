"""Runs show: one record of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation
from luban.core.run import Run
from luban.operations.runs.artefacts import Artefact, listed
from luban.operations.runs.settled import settled

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class RunShown:
    """A run with its tags and the files that it keeps, and its trials."""

    run: Run
    trials: tuple[Run, ...]
    experiment: str
    tags: Mapping[str, Any]
    artefacts: tuple[Artefact, ...]


@operation(permission="runs:read", name="runs show")
def runs_show(workspace: Workspace, run: str) -> RunShown:
    """Show one run with its trials.

    Parameters
    ----------
    run
        Its identifier, or the beginning of it.
    """
    settled(workspace)
    found = workspace.runs.get(run)
    return RunShown(
        run=found,
        trials=tuple(workspace.runs.list(parent=found.id, limit=1000)),
        experiment=workspace.experiments.get(found.experiment).name,
        tags=workspace.runs.tags(found.id),
        artefacts=listed(workspace, found.id),
    )
