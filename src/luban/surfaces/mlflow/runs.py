"""Runs, and what is logged to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, InputError
from luban.store.digests import canonical_json, digest_of
from luban.surfaces.mlflow.fields import milliseconds, moment, number, objects, pairs, plain, text, texts, whole
from luban.surfaces.mlflow.pages import MOST, offset, token
from luban.surfaces.mlflow.search import deleted_in, find
from luban.surfaces.mlflow.shapes import LOGGED, OWN, STATES, experiment_of, info_json, run_of, runs_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from luban.store import Workspace
    from luban.surfaces.mlflow.fields import Body

MOST_METRICS, MOST_PARAMS, MOST_TAGS, MOST_TOGETHER = 1000, 100, 100, 1000
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
NAME, PARENT, USER = "mlflow.runName", "mlflow.parentRunId", "mlflow.user"
MODELS = "mlflow.log-model.history"
_FAR = (1 << 63) - 1


def id_of(body: Body) -> str:
    """Return the identifier of the run that a request is about."""
    return text(body, "run_id", body.get("run_uuid") or None)


def create(workspace: Workspace, body: Body) -> Body:
    """Begin a run."""
    experiment = experiment_of(workspace, text(body, "experiment_id", "0") or "0")
    if experiment.deleted is not None:
        raise InputError(f"The experiment {experiment.id} must be in the 'active' state")
    tags = checked_tags(pairs(body, "tags"))
    parent, name = tags.pop(PARENT, None), tags.pop(NAME, "")
    began = whole(body, "start_time", 0)
    user = text(body, "user_id", "")
    run = workspace.runs.start(
        "track",
        {},
        parent=None if parent is None else run_of(workspace, parent).id,
        name=text(body, "run_name", "") or name,
        experiment=experiment.id,
        tags={**({USER: user} if user else {}), **tags},
        started=moment(began) if began else None,
    )
    return {"run": runs_json(workspace, [run])[0]}


def get(workspace: Workspace, body: Body) -> Body:
    """Return a run with all that was logged to it last."""
    return {"run": runs_json(workspace, [run_of(workspace, id_of(body))])[0]}


def update(workspace: Workspace, body: Body) -> Body:
    """Change the state, the end or the name of a run."""
    run = run_of(workspace, id_of(body))
    changed: dict[str, Any] = {}
    if body.get("status") is not None:
        status = text(body, "status")
        if status not in STATES:
            raise InputError(f"the status of a run is one of {', '.join(STATES)}", seen=status[:40])
        changed["state"] = STATES[status]
        if changed["state"] == "running":  # it is taken up again
            changed["ended"] = None
    if body.get("end_time") is not None:
        changed["ended"] = moment(whole(body, "end_time", 0))
    if body.get("run_name"):
        changed["name"] = text(body, "run_name", most=LONGEST_TAG)
    return {"run_info": info_json(workspace.runs.amend(run.id, **changed) if changed else run)}


def delete(workspace: Workspace, body: Body) -> Body:
    """Mark a run as deleted."""
    workspace.runs.delete(run_of(workspace, id_of(body)).id)
    return {}


def restore(workspace: Workspace, body: Body) -> Body:
    """Take its deletion back."""
    workspace.runs.restore(run_of(workspace, id_of(body)).id)
    return {}


def search(workspace: Workspace, body: Body) -> Body:
    """Return a page of runs that fit a filter, in the order that is asked for."""
    most = min(MOST, whole(body, "max_results", 1000, least=1, most=50_000))
    begin = offset(body.get("page_token"))
    found = find(
        workspace,
        text(body, "filter", ""),
        texts(body, "order_by"),
        experiments=[experiment_of(workspace, one).id for one in texts(body, "experiment_ids")],
        deleted=deleted_in(text(body, "run_view_type", "ACTIVE_ONLY")),
        without=(LOGGED,),
        limit=most + 1,
        offset=begin,
    )
    more = {"next_page_token": token(begin + most)} if len(found) > most else {}
    return {"runs": runs_json(workspace, found[:most]), **more}


def log_metric(workspace: Workspace, body: Body) -> Body:
    """Log one value."""
    _log(workspace, id_of(body), [body], {}, {})
    return {}


def log_parameter(workspace: Workspace, body: Body) -> Body:
    """Tell one parameter."""
    _log(workspace, id_of(body), [], {text(body, "key"): text(body, "value", "")}, {})
    return {}


def set_tag(workspace: Workspace, body: Body) -> Body:
    """Put one tag."""
    _log(workspace, id_of(body), [], {}, {text(body, "key"): text(body, "value", "")})
    return {}


def delete_tag(workspace: Workspace, body: Body) -> Body:
    """Remove a tag."""
    workspace.runs.remove_tag(run_of(workspace, id_of(body)).id, text(body, "key"))
    return {}


def log_batch(workspace: Workspace, body: Body) -> Body:
    """Log values, parameters and tags: all of them, or none."""
    metrics, params, tags = (objects(body, name) for name in ("metrics", "params", "tags"))
    for name, those, most in (
        ("metrics", metrics, MOST_METRICS),
        ("params", params, MOST_PARAMS),
        ("tags", tags, MOST_TAGS),
    ):
        if len(those) > most:
            raise InputError(f"A batch logging request can contain at most {most} {name}", seen=f"{len(those)}")
    if len(metrics) + len(params) + len(tags) > MOST_TOGETHER:
        raise InputError(f"A batch logging request can contain at most {MOST_TOGETHER} metrics, params and tags")
    told = pairs(body, "params")
    if len(told) < len(params):
        raise InputError("Duplicate parameter keys have been submitted")
    _log(workspace, id_of(body), metrics, told, pairs(body, "tags"))
    return {}


def _log(
    workspace: Workspace, run: str, metrics: list[Body], params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    rows: dict[str, list[tuple[str, int, float, datetime]]] = {run: []}
    for one in metrics:
        row = (
            text(one, "key"),
            whole(one, "step", 0, least=-_FAR, most=_FAR),
            number(one, "value"),
            moment(whole(one, "timestamp", 0)),
        )
        rows[run].append(row)
        model = one.get("model_id")
        if model:  # the value of a model is told of the model too
            rows.setdefault(_logged(text(one, "model_id")), []).append(row)
    for key, value in params.items():
        if len(value) > LONGEST_PARAM:
            raise InputError(f"the parameter {key[:100]!r} exceeds {LONGEST_PARAM} characters", seen=f"{len(value):,}")
    kept = checked_tags(tags)
    name = kept.pop(NAME, None)
    if PARENT in kept:
        del kept[PARENT]  # a run's place is known since it began
    try:
        workspace.runs.write(run, rows=rows.pop(run), params=params, tags=kept)
    except Conflict as error:
        raise InputError(error.happened, seen=error.seen, remedy=error.remedy) from error
    for model, those in rows.items():
        workspace.runs.write(model, rows=those)
    if name is not None:
        workspace.runs.amend(run, name=name)


def _logged(model: str) -> str:
    return model.removeprefix("m-")


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags that may be kept."""
    for key, value in tags.items():
        if len(value) > LONGEST_TAG and key != MODELS:
            raise InputError(f"the tag {key[:100]!r} exceeds {LONGEST_TAG} characters", seen=f"{len(value):,}")
        if key.startswith("luban."):
            raise InputError("tags that begin with 'luban.' are the server's own", seen=repr(key)[:100])
    return dict(tags)


def log_inputs(workspace: Workspace, body: Body) -> Body:
    """Tell which data sets and models a run used."""
    kept: dict[str, Any] = {}
    for one in objects(body, "datasets"):
        kept[f"{OWN}input.{digest_of(canonical_json(one))}"] = one
    for one in objects(body, "models"):
        kept[f"{OWN}model_input.{text(one, 'model_id')[:100]}"] = {"model_id": text(one, "model_id")}
    workspace.runs.write(id_of(body), tags=kept)
    return {}


def log_outputs(workspace: Workspace, body: Body) -> Body:
    """Tell which models a run made."""
    kept = {}
    for one in objects(body, "models"):
        step = whole(one, "step", 0, least=-_FAR, most=_FAR)
        kept[f"{OWN}output.{text(one, 'model_id')[:100]}"] = {"model_id": text(one, "model_id"), "step": step}
    workspace.runs.write(id_of(body), tags=kept)
    return {}


def log_model(workspace: Workspace, body: Body) -> Body:
    """Add a model to those that a run's tag tells of, as clients before MLflow 3 do."""
    run = run_of(workspace, id_of(body))
    try:
        told = json.loads(text(body, "model_json"))
        before = json.loads(workspace.runs.tags(run.id).get(MODELS, "[]"))
    except ValueError as error:
        raise InputError("model_json is no JSON", seen=str(error)[:100]) from error
    workspace.runs.set_tag(run.id, MODELS, json.dumps([*before, told]))
    return {}


def history(workspace: Workspace, body: Body) -> Body:
    """Return all values of a metric, or a page of them."""
    run, key = run_of(workspace, id_of(body)), text(body, "metric_key")
    most = whole(body, "max_results", 0, most=1_000_000)
    begin = offset(body.get("page_token"))
    found = workspace.runs.history(run.id, key, limit=most + 1 if most else None, offset=begin if most else 0)
    more = {"next_page_token": token(begin + most)} if most and len(found) > most else {}
    rows = [
        {"key": key, "value": plain(value), "timestamp": milliseconds(at), "step": step, "run_id": run.id}
        for step, value, at in (found[:most] if most else found)
    ]
    return {"metrics": rows, **more}
