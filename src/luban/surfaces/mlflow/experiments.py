"""Experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, InputError
from luban.surfaces.mlflow.errors import Exists
from luban.surfaces.mlflow.fields import milliseconds, pairs, text, texts, whole
from luban.surfaces.mlflow.filters import Sorting, arranged, holds, parse, parse_order
from luban.surfaces.mlflow.pages import page
from luban.surfaces.mlflow.shapes import SCHEME, experiment_json, experiment_of

if TYPE_CHECKING:
    from luban.store import Workspace
    from luban.store.experiments import Experiment
    from luban.surfaces.mlflow.fields import Body


def create(workspace: Workspace, body: Body) -> Body:
    """Make an experiment."""
    place = text(body, "artifact_location", "")
    if place and not place.startswith(SCHEME):
        raise InputError(
            "this server keeps artifacts itself: an artifact_location of one's own is not taken", seen=repr(place)[:100]
        )
    try:
        made = workspace.experiments.create(text(body, "name"), pairs(body, "tags"))
    except Conflict as error:
        raise Exists(f"Experiment(name={text(body, 'name')[:200]}) already exists", remedy=error.remedy) from error
    return {"experiment_id": str(made.id)}


def get(workspace: Workspace, body: Body) -> Body:
    """Return an experiment by its number."""
    return {"experiment": experiment_json(experiment_of(workspace, text(body, "experiment_id")))}


def get_by_name(workspace: Workspace, body: Body) -> Body:
    """Return an experiment by its name."""
    return {"experiment": experiment_json(workspace.experiments.named(text(body, "experiment_name")))}


def search(workspace: Workspace, body: Body) -> Body:
    """Return a page of experiments."""
    view = text(body, "view_type", "ACTIVE_ONLY")
    found = [one for one in workspace.experiments.list() if in_view(view, deleted=one.deleted is not None)]
    for term in parse(text(body, "filter", "")):
        found = [one for one in found if holds(term, _value(one, term.entity, term.key))]
    newest = Sorting(entity="attribute", key="last_update_time", descending=True)
    order = [*parse_order(texts(body, "order_by")), newest]
    found = arranged(found, order, lambda one, key: _value(one, key.entity, key.key))
    rows, more = page(found, body, whole(body, "max_results", 1000, least=1, most=50_000))
    return {"experiments": [experiment_json(one) for one in rows], **more}


def in_view(view: str, *, deleted: bool) -> bool:
    """Return whether something belongs to a view."""
    if view not in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        raise InputError("the view_type is ACTIVE_ONLY, DELETED_ONLY or ALL", seen=view[:40])
    return view == "ALL" or deleted == (view == "DELETED_ONLY")


def _value(one: Experiment, entity: str, key: str) -> Any:
    if entity == "tag":
        return one.tags.get(key)
    known = {
        "name": one.name,
        "experiment_id": str(one.id),
        "creation_time": milliseconds(one.created),
        "last_update_time": milliseconds(one.updated),
    }
    if entity != "attribute" or key not in known:
        raise InputError(f"experiments are searched by {', '.join(known)} and tags", seen=f"{entity}.{key}"[:100])
    return known[key]


def update(workspace: Workspace, body: Body) -> Body:
    """Rename an experiment."""
    one = experiment_of(workspace, text(body, "experiment_id"))
    if body.get("new_name"):
        try:
            workspace.experiments.rename(one.id, text(body, "new_name"))
        except Conflict as error:
            raise Exists(str(error)) from error
    return {}


def delete(workspace: Workspace, body: Body) -> Body:
    """Mark an experiment as deleted."""
    workspace.experiments.delete(experiment_of(workspace, text(body, "experiment_id")).id)
    return {}


def restore(workspace: Workspace, body: Body) -> Body:
    """Take its deletion back."""
    workspace.experiments.restore(experiment_of(workspace, text(body, "experiment_id")).id)
    return {}


def set_tag(workspace: Workspace, body: Body) -> Body:
    """Put a tag beside an experiment."""
    one = experiment_of(workspace, text(body, "experiment_id"))
    workspace.experiments.set_tags(one.id, {text(body, "key"): text(body, "value", "")})
    return {}


def delete_tag(workspace: Workspace, body: Body) -> Body:
    """Remove a tag of an experiment."""
    one = experiment_of(workspace, text(body, "experiment_id"))
    workspace.experiments.set_tags(one.id, {text(body, "key"): None})
    return {}
