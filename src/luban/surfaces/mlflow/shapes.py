"""Runs, experiments and models as MLflow's messages have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.surfaces.mlflow.fields import milliseconds, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.run import Run, RunState
    from luban.store import Workspace
    from luban.store.experiments import Experiment

STATUS: Mapping[RunState, str] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
    "killed": "KILLED",
}
STATES: Mapping[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
OWN = "luban.mlflow."
"""Tags of this prefix hold what MLflow keeps beside tags: inputs, outputs, the type of a logged model."""

LOGGED = "logged model"
"""The operation of the record of a logged model: a part of the run that made it."""

SCHEME = "mlflow-artifacts:"


def experiment_json(one: Experiment) -> dict[str, Any]:
    """Return an experiment."""
    return {
        "experiment_id": str(one.id),
        "name": one.name,
        "artifact_location": f"{SCHEME}/{one.id}",
        "lifecycle_stage": "active" if one.deleted is None else "deleted",
        "creation_time": milliseconds(one.created),
        "last_update_time": milliseconds(one.updated),
        "tags": entries(one.tags),
    }


def info_json(run: Run) -> dict[str, Any]:
    """Return what is said of a run itself."""
    return {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.name or f"{run.operation} {run.id}",
        "experiment_id": str(run.experiment),
        "user_id": run.actor,
        "status": STATUS[run.state],
        "start_time": milliseconds(run.started),
        **({} if run.ended is None else {"end_time": milliseconds(run.ended)}),
        "artifact_uri": f"{SCHEME}/{run.experiment}/{run.id}/artifacts",
        "lifecycle_stage": "active" if run.deleted is None else "deleted",
    }


def runs_json(workspace: Workspace, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return runs with their metrics, parameters, tags, inputs and outputs."""
    ids = [run.id for run in runs]
    tags, steps = workspace.runs.tags_of(ids), workspace.runs.steps_of(ids)
    return [_run(run, tags[run.id], steps[run.id]) for run in runs]


def _run(run: Run, tags: Mapping[str, Any], steps: Mapping[str, int]) -> dict[str, Any]:
    said = {
        "mlflow.runName": run.name or f"{run.operation} {run.id}",
        "mlflow.user": run.actor,
        "luban.operation": run.operation,
        **({} if run.parent is None else {"mlflow.parentRunId": run.parent}),
    }
    kept = {key: value for key, value in tags.items() if not key.startswith(OWN)}
    return {
        "info": info_json(run),
        "data": {
            "metrics": metrics_json(run, steps),
            "params": entries(run.request),
            "tags": entries({**said, **kept, "mlflow.runName": said["mlflow.runName"]}),
        },
        "inputs": {"dataset_inputs": _own(tags, "input."), "model_inputs": _own(tags, "model_input.")},
        "outputs": {"model_outputs": _own(tags, "output.")},
    }


def metrics_json(run: Run, steps: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the latest values of a run's metrics."""
    moment = milliseconds(run.ended or run.started)
    return [
        {"key": name, "value": plain(value), "timestamp": moment, "step": steps.get(name, 0)}
        for name, value in run.scores.items()
    ]


def entries(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a mapping as a list of {"key", "value"}; what is no text as JSON."""
    return [
        {"key": key, "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
        for key, value in values.items()
    ]


def _own(tags: Mapping[str, Any], kind: str) -> list[Any]:
    return [value for key, value in tags.items() if key.startswith(OWN + kind)]


def run_of(workspace: Workspace, id: str) -> Run:  # noqa: A002
    """Return the run of an identifier, whole: the beginning of one does not do here."""
    try:
        found = workspace.runs.get(id)
    except (InputError, NotFound):
        found = None
    if found is None or found.id != id:
        raise NotFound(f"Run with id={id[:100]} not found")
    return found


def experiment_of(workspace: Workspace, id: str) -> Experiment:  # noqa: A002
    """Return the experiment of a number that came as a text."""
    if not id.isascii() or not id.isdigit() or len(id) > 18:
        raise NotFound(f"No Experiment with id={id[:100]} exists")
    return workspace.experiments.get(int(id))
