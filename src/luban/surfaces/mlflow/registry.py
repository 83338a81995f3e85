"""Registered models: those of the workspace. What clients register is kept as a foreign model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound, Refused, Unsupported
from luban.operations.importing import kept_model as foreign
from luban.operations.importing.kept_model import DESCRIPTION, LINK, MADE, MODEL_ID, PROMPT, SOURCE, STAGE, TAG
from luban.operations.importing.told_code import code_of
from luban.operations.registering import signer
from luban.store.names import valid_name
from luban.surfaces.mlflow.errors import Exists
from luban.surfaces.mlflow.fields import milliseconds, pairs, text, texts, whole
from luban.surfaces.mlflow.filters import Sorting, arranged, holds, parse, parse_order
from luban.surfaces.mlflow.pages import page
from luban.surfaces.mlflow.places import REGISTERED, source
from luban.surfaces.mlflow.shapes import LOGGED, SCHEME, run_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.model import ModelVersion
    from luban.store import Workspace
    from luban.surfaces.mlflow.fields import Body

STAGES = ("None", "Staging", "Production", "Archived")

Notes = dict[tuple[str, int], dict[str, tuple[str, Any]]]


def create(workspace: Workspace, body: Body) -> Body:
    """Make a registered model, without a version yet."""
    name = valid_name("model", text(body, "name"))
    if name in _names(workspace):
        raise Exists(f"Registered Model (name={name}) already exists")
    tags = pairs(body, "tags")
    if PROMPT in tags:
        raise Unsupported("prompts are not kept here", seen=name)
    workspace.notes.write(name, 0, {MADE: "mlflow", **_described(body), **_tags(tags)})
    return {"registered_model": _model(workspace, name)}


def get(workspace: Workspace, body: Body) -> Body:
    """Return a registered model with its newest version."""
    return {"registered_model": _model(workspace, _known(workspace, text(body, "name")))}


def update(workspace: Workspace, body: Body) -> Body:
    """Describe a registered model."""
    name = _known(workspace, text(body, "name"))
    workspace.notes.write(name, 0, {DESCRIPTION: text(body, "description", "")})
    return {"registered_model": _model(workspace, name)}


def rename(workspace: Workspace, body: Body) -> Body:
    """Refuse to rename: deployments, records and the audit chain name models."""
    raise Refused(
        "models are not renamed: deployments, records and the audit chain name them",
        seen=_known(workspace, text(body, "name")),
        remedy="Register the version anew under the other name.",
    )


def delete(workspace: Workspace, body: Body) -> Body:
    """Delete a registered model with all its versions; one that is deployed is refused."""
    name = _known(workspace, text(body, "name"))
    for version in reversed(_versions(workspace, name)):
        _delete(workspace, version)
    workspace.notes.erase(name)
    return {}


def search(workspace: Workspace, body: Body) -> Body:
    """Return a page of registered models."""
    notes = workspace.notes.read()
    found = [_model(workspace, name, notes) for name in _names(workspace)]

    def value(one: dict[str, Any], entity: str, key: str) -> Any:
        if entity == "tag":
            kept = notes.get((one["name"], 0), {}).get(TAG + key)
            return kept[0] if kept else "false" if key == PROMPT else None
        known = {"name": one["name"], "timestamp": one["last_updated_timestamp"]}
        known["last_updated_timestamp"] = known["timestamp"]
        if entity != "attribute" or key not in known:
            raise InputError(f"models are searched by {', '.join(known)} and tags", seen=f"{entity}.{key}"[:100])
        return known[key]

    for term in parse(text(body, "filter", "")):
        found = [one for one in found if holds(term, value(one, term.entity, term.key))]
    last = Sorting(entity="attribute", key="name", descending=False)
    order = [*parse_order(texts(body, "order_by")), last]
    found = arranged(found, order, lambda one, key: value(one, key.entity, key.key))
    rows, more = page(found, body, whole(body, "max_results", 100, least=1, most=1000))
    return {"registered_models": rows, **more}


def set_tag(workspace: Workspace, body: Body) -> Body:
    """Put a tag beside a registered model."""
    name = _known(workspace, text(body, "name"))
    workspace.notes.write(name, 0, _tags({text(body, "key"): text(body, "value", "")}))
    return {}


def delete_tag(workspace: Workspace, body: Body) -> Body:
    """Remove a tag of a registered model."""
    workspace.notes.write(_known(workspace, text(body, "name")), 0, {TAG + text(body, "key"): None})
    return {}


def set_alias(workspace: Workspace, body: Body) -> Body:
    """Point an alias at a version."""
    version = _version(workspace, body)
    alias = text(body, "alias")
    if alias.lower() == "latest" or (alias[:1] in "vV" and alias[1:].isdigit()):
        raise InputError("this alias would read as a version", seen=repr(alias)[:60])
    workspace.models.set_alias(version.name, alias, version.version, reason="MLflow client")
    return {}


def delete_alias(workspace: Workspace, body: Body) -> Body:
    """Remove an alias; one that is not there is left so."""
    name, alias = _known(workspace, text(body, "name")), text(body, "alias")
    if any(alias in one.aliases for one in _versions(workspace, name)):
        workspace.models.set_alias(name, alias, None, reason="MLflow client")
    return {}


def by_alias(workspace: Workspace, body: Body) -> Body:
    """Return the version that an alias points at."""
    name, alias = _known(workspace, text(body, "name")), text(body, "alias")
    if alias.lower() == "latest" and _versions(workspace, name):
        return {"model_version": version_json(workspace, _versions(workspace, name)[-1])}
    for one in _versions(workspace, name):
        if alias in one.aliases:
            return {"model_version": version_json(workspace, one)}
    # What MLflow's own server says, and its clients look for.
    raise InputError(f"Registered model alias {alias[:100]} not found.")


def latest(workspace: Workspace, body: Body) -> Body:
    """Return the newest version in each stage that is asked for."""
    name = _known(workspace, text(body, "name"))
    wanted = {stage.lower() for stage in texts(body, "stages")}
    newest = {}
    for one in _versions(workspace, name):
        shape = version_json(workspace, one)
        newest[shape["current_stage"]] = shape
    return {"model_versions": [one for stage, one in newest.items() if not wanted or stage.lower() in wanted]}


def create_version(workspace: Workspace, body: Body) -> Body:
    """Register what was logged as the next version of a model: its files are kept by digest from now on."""
    name = _known(workspace, text(body, "name"))
    uri, run = text(body, "source"), text(body, "run_id", "")
    where = source(workspace, uri)
    files = where.files(workspace)
    if not files:
        raise InputError(
            "there are no files at the source of the version", seen=repr(uri)[:200], remedy="Log the model first."
        )
    if where.path:
        files = [
            type(one)(path=one.path[len(where.path) + 1 :] or one.path, digest=one.digest, bytes=one.bytes)
            for one in files
        ]
    columns = foreign.signature(workspace.blobs, files)
    keeper = None if where.run is None else workspace.runs.get(where.run)
    model = text(body, "model_id", "")
    if keeper is not None and keeper.operation == LOGGED:  # its run and its identifier are known, asked for or not
        model, run = f"m-{keeper.id}", run or keeper.parent or ""
    made_by = run_of(workspace, run) if run else None
    sign = signer(workspace)
    kept = {SOURCE: uri, MODEL_ID: model, LINK: text(body, "run_link", "")}
    version = workspace.models.register(
        name=name,
        artifact=workspace.blobs.put_json(foreign.manifest(files, uri)),
        signature=columns,
        task=foreign.task(columns),
        run=None if made_by is None else made_by.id,
        scores={} if made_by is None else made_by.scores,
        tags={key: value for key, value in kept.items() if value},
        code=code_of(workspace, None if made_by is None else made_by.id),
        sign=sign,
    )
    workspace.notes.write(name, version.version, {**_described(body), **_tags(pairs(body, "tags"))})
    return {"model_version": version_json(workspace, version)}


def get_version(workspace: Workspace, body: Body) -> Body:
    """Return a version."""
    return {"model_version": version_json(workspace, _version(workspace, body))}


def download_uri(workspace: Workspace, body: Body) -> Body:
    """Return where the files of a version are: as they were when it was registered."""
    return {"artifact_uri": f"{SCHEME}/{REGISTERED}/{_version(workspace, body).reference}"}


def update_version(workspace: Workspace, body: Body) -> Body:
    """Describe a version."""
    version = _version(workspace, body)
    workspace.notes.write(version.name, version.version, {DESCRIPTION: text(body, "description", "")})
    return {"model_version": version_json(workspace, version)}


def transition(workspace: Workspace, body: Body) -> Body:
    """Put a version in a stage: a note here; aliases are what deployments follow."""
    version = _version(workspace, body)
    stage = text(body, "stage").capitalize()
    if stage not in STAGES:
        raise InputError(f"Invalid Model Version stage; it is one of {', '.join(STAGES)}", seen=repr(stage)[:40])
    if body.get("archive_existing_versions") and stage in ("Staging", "Production"):
        for one in _versions(workspace, version.name):
            if version_json(workspace, one)["current_stage"] == stage:
                workspace.notes.write(one.name, one.version, {STAGE: "Archived"})
    workspace.notes.write(version.name, version.version, {STAGE: stage})
    return {"model_version": version_json(workspace, version)}


def delete_version(workspace: Workspace, body: Body) -> Body:
    """Delete a version; one that is deployed is refused."""
    _delete(workspace, _version(workspace, body))
    return {}


def search_versions(workspace: Workspace, body: Body) -> Body:
    """Return a page of versions, the newest first."""
    terms = parse(text(body, "filter", ""))
    named = [one.value for one in terms if one.entity == "attribute" and one.key == "name" and one.sign == "="]
    names = [name for name in _names(workspace) if not named or name in named]
    notes = workspace.notes.read()
    found = [version_json(workspace, one, notes) for name in names for one in _versions(workspace, name)]

    def value(one: dict[str, Any], entity: str, key: str) -> Any:
        if entity == "tag":
            kept = {tag["key"]: tag["value"] for tag in one["tags"]}
            return kept.get(key, "false" if key == PROMPT else None)
        known = {
            "name": one["name"],
            "version_number": int(one["version"]),
            "run_id": one.get("run_id"),
            "source_path": one["source"],
            "model_id": one.get("model_id"),
            "creation_timestamp": one["creation_timestamp"],
            "last_updated_timestamp": one["last_updated_timestamp"],
        }
        if entity != "attribute" or key not in known:
            raise InputError(f"versions are searched by {', '.join(known)} and tags", seen=f"{entity}.{key}"[:100])
        return known[key]

    for term in terms:
        found = [one for one in found if holds(term, value(one, term.entity, term.key))]
    usual = (("last_updated_timestamp", True), ("name", False), ("version_number", True))
    order = [*parse_order(texts(body, "order_by"))]
    order += [Sorting(entity="attribute", key=key, descending=down) for key, down in usual]
    found = arranged(found, order, lambda one, key: value(one, key.entity, key.key))
    rows, more = page(found, body, whole(body, "max_results", 10_000, least=1, most=200_000))
    return {"model_versions": rows, **more}


def set_version_tag(workspace: Workspace, body: Body) -> Body:
    """Put a tag beside a version."""
    version = _version(workspace, body)
    workspace.notes.write(version.name, version.version, _tags({text(body, "key"): text(body, "value", "")}))
    return {}


def delete_version_tag(workspace: Workspace, body: Body) -> Body:
    """Remove a tag of a version."""
    version = _version(workspace, body)
    workspace.notes.write(version.name, version.version, {TAG + text(body, "key"): None})
    return {}


def version_json(workspace: Workspace, version: ModelVersion, all_notes: Notes | None = None) -> dict[str, Any]:
    """Return a version as its message."""
    read = workspace.notes.read(version.name) if all_notes is None else all_notes
    notes: Mapping[str, tuple[str, Any]] = read.get((version.name, version.version), {})
    made = milliseconds(version.created)
    changed = [milliseconds(moment) for _, moment in notes.values()]
    shape = {
        "name": version.name,
        "version": str(version.version),
        "creation_timestamp": made,
        "last_updated_timestamp": max([made or 0, *(one or 0 for one in changed)]),
        "current_stage": notes.get(STAGE, ("None", None))[0],
        "description": notes.get(DESCRIPTION, ("", None))[0],
        "source": version.tags.get(SOURCE, f"{SCHEME}/{REGISTERED}/{version.reference}"),
        "status": "READY",
        "tags": _kept(notes),
        "aliases": list(version.aliases),
        **({} if version.run is None else {"run_id": version.run}),
    }
    for key, name in ((MODEL_ID, "model_id"), (LINK, "run_link")):
        if version.tags.get(key):
            shape[name] = version.tags[key]
    return shape


def _model(workspace: Workspace, name: str, all_notes: Notes | None = None) -> dict[str, Any]:
    read = workspace.notes.read(name) if all_notes is None else all_notes
    notes: Mapping[str, tuple[str, Any]] = read.get((name, 0), {})
    versions = [version_json(workspace, one, read) for one in _versions(workspace, name)]
    moments = [milliseconds(moment) or 0 for _, moment in notes.values()]
    moments += [one["creation_timestamp"] or 0 for one in versions]
    newest = {one["current_stage"]: one for one in versions}
    return {
        "name": name,
        "creation_timestamp": min(moments, default=0),
        "last_updated_timestamp": max([*moments, *(one["last_updated_timestamp"] for one in versions)], default=0),
        "description": notes.get(DESCRIPTION, ("", None))[0],
        "latest_versions": list(newest.values()),
        "tags": _kept(notes),
        "aliases": [{"alias": alias, "version": one["version"]} for one in versions for alias in one["aliases"]],
    }


def _kept(notes: Mapping[str, tuple[str, Any]]) -> list[dict[str, str]]:
    return [{"key": key.removeprefix(TAG), "value": value} for key, (value, _) in notes.items() if key.startswith(TAG)]


def _described(body: Body) -> dict[str, str]:
    description = text(body, "description", "")
    return {DESCRIPTION: description} if description else {}


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {TAG + key: value for key, value in tags.items()}


def _names(workspace: Workspace) -> list[str]:
    """Return the names of all models: those with versions, and those that wait for their first."""
    empty = {name for name, version in workspace.notes.read() if version == 0}
    return sorted({one.name for one in workspace.models.list()} | empty)


def _known(workspace: Workspace, name: str) -> str:
    name = valid_name("model", name)
    if workspace.notes.read(name).get((name, 0)) is None and not _versions(workspace, name):
        raise NotFound(f"Registered Model with name={name} not found")
    return name


def _versions(workspace: Workspace, name: str) -> list[ModelVersion]:
    try:
        return workspace.models.versions(name)
    except NotFound:
        return []


def _version(workspace: Workspace, body: Body) -> ModelVersion:
    name, version = valid_name("model", text(body, "name")), str(body.get("version", ""))
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise InputError("the version of a model is a whole number", seen=repr(version)[:40])
    for one in _versions(workspace, name):
        if one.version == int(version):
            return one
    raise NotFound(f"Model Version (name={name}, version={version}) not found")


def _delete(workspace: Workspace, version: ModelVersion) -> None:
    workspace.models.delete(version.reference, without=version.aliases, reason="MLflow client")
    workspace.notes.erase(version.name, version.version)
