"""Triton's repository calls: what could be served, and loading and unloading by name.

Source: https://github.com/triton-inference-server/server (docs/protocol/extension_model_repository.md). A name is a
deployment, or a model as ``luban serve`` takes it (NAME, NAME/VERSION cannot stand in a path; load serves NAME).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from luban.core.errors import InputError, NotFound, Unsupported
from luban.serving.access.declare import needs
from luban.serving.bodies import declared, json_response, parse_object, read_body
from luban.serving.openapi import described
from luban.serving.wires.schemas import INDEX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models, Repository


def repository_routes(models: Models) -> Sequence[Route]:
    """Return the routes of the extension."""

    async def repository_index(request: Request) -> Response:
        asked = await _body(request, models, {"ready"})
        ready = asked.get("ready", False)
        if not isinstance(ready, bool):
            raise InputError("ready must be true or false", seen=repr(ready)[:100])
        return json_response(await models.run(_index, models, ready))

    async def repository_load(request: Request) -> Response:
        await _body(request, models, {"parameters"})
        await models.run(load, models, request.path_params["model"])
        return json_response({})

    async def repository_unload(request: Request) -> Response:
        await _body(request, models, {"parameters"})
        await models.run(unload, models, request.path_params["model"])
        return json_response({})

    prefix = "/v2/repository"
    return [
        *described(INDEX, *needs("look", Route(f"{prefix}/index", repository_index, methods=["POST"]))),
        *needs("write", Route(prefix + "/models/{model}/load", repository_load, methods=["POST"])),
        *needs("write", Route(prefix + "/models/{model}/unload", repository_unload, methods=["POST"])),
    ]


def repository(models: Models) -> Repository:
    """Return what changes what is served.

    Raises
    ------
    Unsupported
        If this server serves what it was started with.
    """
    if models.repository is None:
        raise Unsupported(
            "this server serves the models that it was started with", remedy="Start it with luban serve to change them."
        )
    return models.repository


def load(models: Models, name: str) -> None:
    """Serve a name, at its newest state; `NotFound` where there is no such model."""
    if models.repository is not None:
        models.repository.load(name)
    elif name not in models.names:
        raise NotFound.named("model", name, models.names)


def unload(models: Models, name: str, version: str | None = None) -> None:
    """Serve a name, or one of its several versions, no more; `NotFound` where it is not served."""
    if name not in models.names:
        raise NotFound.named("model", name, models.names)
    repository(models).unload(name, version)


async def _body(request: Request, models: Models, known: set[str]) -> dict[str, Any]:
    """Return the object in a body, which may be empty; of these names alone."""
    ticket = models.admission.enter(declared(request.scope))
    try:
        body = await read_body(request, models.limits.body, patience=models.limits.patience, ticket=ticket)
    finally:
        ticket.leave()
    asked = parse_object(body) if body else {}
    unknown = sorted(set(asked) - known)
    if unknown:
        raise InputError("the request has a field that is not known", seen=repr(unknown[0])[:100])
    parameters = asked.get("parameters") or {}
    if not isinstance(parameters, dict) or any(key == "config" or key.startswith("file") for key in parameters):
        raise InputError("only models of the workspace can be loaded", remedy="Send no config and no file.")
    return asked


def _index(models: Models, ready: bool) -> list[dict[str, str]]:
    served = {(name, version) for name in models.names for version in models.versions(name)}
    known = set() if models.repository is None else set(models.repository.known())
    found = [{"name": name, "version": version, "state": "READY", "reason": ""} for name, version in sorted(served)]
    if not ready:
        names = {name for name, _ in served}
        found += [
            {"name": name, "version": version, "state": "UNAVAILABLE", "reason": "not loaded"}
            for name, version in sorted(known - served)
            if name not in names
        ]
    return found
