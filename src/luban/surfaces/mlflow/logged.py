"""Logged models: what MLflow 3 keeps of a model beside the run that made it.

Each is a record of its own, a part of that run: its parameters, tags, metrics and files are kept as those of any run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.surfaces.mlflow.fields import milliseconds, objects, pairs, text, texts, whole
from luban.surfaces.mlflow.pages import MOST, offset, token
from luban.surfaces.mlflow.runs import checked_tags
from luban.surfaces.mlflow.search import find
from luban.surfaces.mlflow.shapes import LOGGED, OWN, SCHEME, entries, experiment_of, metrics_json, run_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.run import Run, RunState
    from luban.store import Workspace
    from luban.surfaces.mlflow.fields import Body

_TYPE = f"{OWN}model_type"
_STATUS: Mapping[RunState, str] = {
    "running": "LOGGED_MODEL_PENDING",
    "finished": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
    "interrupted": "LOGGED_MODEL_UPLOAD_FAILED",
    "killed": "LOGGED_MODEL_UPLOAD_FAILED",
}
_STATES: Mapping[str, RunState] = {
    "LOGGED_MODEL_PENDING": "running",
    "LOGGED_MODEL_READY": "finished",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
}


def logged_of(workspace: Workspace, body: Body) -> Run:
    """Return the record of the logged model that a request is about."""
    return logged(workspace, text(body, "model_id"))


def logged(workspace: Workspace, id: str) -> Run:  # noqa: A002
    """Return the record of a logged model."""
    try:
        found = run_of(workspace, id.removeprefix("m-"))
    except NotFound:
        found = None
    if found is None or found.operation != LOGGED or not id.startswith("m-"):
        raise NotFound(f"Logged model with ID '{id[:100]}' not found")
    return found


def create(workspace: Workspace, body: Body) -> Body:
    """Begin a logged model; its files follow."""
    experiment = experiment_of(workspace, text(body, "experiment_id"))
    source, kind = text(body, "source_run_id", ""), text(body, "model_type", "")
    name = text(body, "name", "", most=500)
    if any(mark in name for mark in "/:.%\"'"):
        raise InputError("the name of a model has none of / : . % \" '", seen=repr(name)[:100])
    tags: dict[str, Any] = dict(checked_tags(pairs(body, "tags")))
    run = workspace.runs.start(
        LOGGED,
        {},
        parent=run_of(workspace, source).id if source else None,
        name=name,
        experiment=experiment.id,
        params=pairs(body, "params"),
        tags={**tags, **({_TYPE: kind} if kind else {})},
    )
    return shown(workspace, workspace.runs.get(run.id))


def get(workspace: Workspace, body: Body) -> Body:
    """Return a logged model."""
    found = logged_of(workspace, body)
    if found.deleted is not None and str(body.get("allow_deleted", "")).lower() != "true":
        raise NotFound(f"Logged model with ID 'm-{found.id}' not found")
    return shown(workspace, found)


def finalize(workspace: Workspace, body: Body) -> Body:
    """Say whether all files of a logged model are there."""
    status = text(body, "status")
    if status not in _STATES:
        raise InputError(f"the status of a logged model is one of {', '.join(_STATES)}", seen=status[:60])
    return shown(workspace, workspace.runs.finish(logged_of(workspace, body).id, _STATES[status]))


def delete(workspace: Workspace, body: Body) -> Body:
    """Mark a logged model as deleted."""
    workspace.runs.delete(logged_of(workspace, body).id)
    return {}


def search(workspace: Workspace, body: Body) -> Body:
    """Return a page of logged models."""
    most = min(MOST, whole(body, "max_results", 100, least=1, most=50_000))
    begin = offset(body.get("page_token"))
    order = [
        f"{text(one, 'field_name')} {'ASC' if one.get('ascending', True) else 'DESC'}"
        for one in objects(body, "order_by")
    ]
    if objects(body, "datasets"):
        raise InputError("logged models cannot be searched by data sets here")
    found = find(
        workspace,
        text(body, "filter", ""),
        order,
        experiments=[experiment_of(workspace, one).id for one in texts(body, "experiment_ids")],
        deleted=False,
        operation=LOGGED,
        limit=most + 1,
        offset=begin,
    )
    more = {"next_page_token": token(begin + most)} if len(found) > most else {}
    return {"models": [shown(workspace, one)["model"] for one in found[:most]], **more}


def set_tags(workspace: Workspace, body: Body) -> Body:
    """Put tags beside a logged model."""
    found = logged_of(workspace, body)
    workspace.runs.write(found.id, tags=checked_tags(pairs(body, "tags")))
    return shown(workspace, found)


def delete_tag(workspace: Workspace, body: Body) -> Body:
    """Remove a tag of a logged model."""
    workspace.runs.remove_tag(logged_of(workspace, body).id, text(body, "tag_key"))
    return {}


def log_params(workspace: Workspace, body: Body) -> Body:
    """Tell parameters of a logged model."""
    workspace.runs.write(logged_of(workspace, body).id, params=pairs(body, "params"))
    return {}


def shown(workspace: Workspace, run: Run) -> Body:
    """Return a logged model as its message."""
    tags = workspace.runs.tags(run.id)
    steps = workspace.runs.steps_of([run.id])[run.id]
    model = f"m-{run.id}"
    info = {
        "model_id": model,
        "experiment_id": str(run.experiment),
        "name": run.name,
        "creation_timestamp_ms": milliseconds(run.started),
        "last_updated_timestamp_ms": milliseconds(run.ended or run.started),
        "artifact_uri": f"{SCHEME}/{run.experiment}/models/{model}/artifacts",
        "status": _STATUS[run.state],
        "model_type": tags.get(_TYPE, ""),
        **({} if run.parent is None else {"source_run_id": run.parent}),
        "tags": entries({key: value for key, value in tags.items() if not key.startswith(OWN)}),
    }
    metrics = [
        {**one, "model_id": model, **({} if run.parent is None else {"run_id": run.parent})}
        for one in metrics_json(run, steps)
    ]
    return {"model": {"info": info, "data": {"params": entries(run.request), "metrics": metrics}}}
