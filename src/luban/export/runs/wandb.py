"""Runs in the form that W&B keeps while it is offline; ``wandb sync`` sends it when somebody wants to.

Nothing here talks to a network.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wandb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.core.run_record import RunRecord

STEP = "step"
"""The metric that holds the step: a step of W&B's own can neither come twice nor go back."""


class WandbExporter:
    """Writes offline runs (`luban.core.run_record.RunExporter`)."""

    def export(self, record: RunRecord, folder: str) -> Mapping[str, Any]:
        """Write a run and its parts, with parameters, metrics by step, tags and kept files.

        Returns
        -------
        mapping
            ``path``; ``runs``, how many; ``command``, which would send them.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)
        runs = _write(record, folder, group=record.run.name or record.run.id)
        return {"path": folder, "runs": runs, "command": f"wandb sync {folder}/wandb/offline-run-*"}


def _write(record: RunRecord, folder: str, group: str) -> int:
    run = record.run
    offline = wandb.init(
        mode="offline",
        dir=folder,
        project=_project(record.experiment),
        id=run.id,
        name=run.name or run.id,
        group=group,
        job_type=run.operation,
        config=dict(run.request),
        notes=_notes(record),
        reinit="create_new",
        settings=wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
        ),
    )
    try:
        offline.define_metric(STEP, hidden=True)
        offline.define_metric("*", step_metric=STEP)
        for row in _rows(record):
            offline.log(row)
        offline.summary.update({name: value for name, value in run.scores.items() if math.isfinite(value)})
        for path in record.files:
            _keep(offline, record.local(path), path)
    finally:
        offline.finish(exit_code=0 if run.state in ("finished", "running") else 1)
    return 1 + sum(_write(part, folder, group) for part in record.parts)


def _rows(record: RunRecord) -> Iterator[dict[str, float]]:
    """Yield the values by step, those of one step together; a metric's second value at a step begins a row."""
    values = [
        (step, moment, metric, value) for metric, history in record.history.items() for step, value, moment in history
    ]
    row: dict[str, float] = {}
    for step, _moment, metric, value in sorted(values, key=lambda one: one[:2]):
        if row and (row[STEP] != step or metric in row):
            yield row
            row = {}
        row[STEP] = step
        row[metric] = value
    if row:
        yield row


def _keep(offline: Any, file: Path, path: str) -> None:
    target = Path(offline.dir) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())
    offline.save(str(target), base_path=offline.dir, policy="end")


def _project(experiment: str) -> str:
    r"""Return the name of an experiment as that of a project, which has no ``/\\#?%:`` and at most 128 characters."""
    return "".join("-" if mark in "/\\#?%:" else mark for mark in experiment)[:128]


def _notes(record: RunRecord) -> str:
    told = [f"{key}: {value}" for key, value in record.tags.items()]
    return "\n".join([f"Luban run {record.run.id}, {record.run.state}", *told])
