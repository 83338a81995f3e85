"""Runs export: a run in a form that other tools show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core import plugins
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.core.run import Run
    from luban.core.run_record import RunRecord
    from luban.store import Workspace

MOST_PARTS = 10_000


@dataclass(frozen=True, kw_only=True)
class RunExported:
    """What was written, and what shows it."""

    run: str
    path: str
    details: Mapping[str, Any]


@operation(permission="runs:read", name="runs export")
def runs_export(workspace: Workspace, run: str, *, output: Path, to: str = "tensorboard") -> RunExported:
    """Export a run with its trials and nested runs.

    Parameters
    ----------
    run
        Its identifier, or the beginning of it.
    output
        Folder to write into, such as `-o run_events` (output="run_events" in Python).
    to
        The form: tensorboard (event files) or wandb (W&B's offline form), and what other packages add.
    """
    exporter = plugins.create("run_exporters", to)
    found = workspace.runs.get(run)
    written = dict(exporter.export(recorded(workspace, found), str(output)))
    return RunExported(run=found.id, path=str(written.pop("path", output)), details=written)


def recorded(workspace: Workspace, run: Run) -> RunRecord:
    """Return a run with all that was logged to it and to its parts."""
    from luban.core.run_record import RunRecord

    kept = {one.path: one.digest for one in workspace.artifacts.list(run.id)}
    return RunRecord(
        run=run,
        experiment=workspace.experiments.get(run.experiment).name,
        history={metric: workspace.runs.history(run.id, metric) for metric in run.scores},
        tags=workspace.runs.tags(run.id),
        files=tuple(kept),
        local=partial(_local, workspace, kept),
        parts=tuple(recorded(workspace, part) for part in workspace.runs.list(parent=run.id, limit=MOST_PARTS)),
    )


def _local(workspace: Workspace, kept: Mapping[str, str], path: str) -> Path:
    return workspace.blobs.local(kept[path])
