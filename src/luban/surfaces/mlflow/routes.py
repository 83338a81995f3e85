"""The routes of MLflow's API, each with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from luban.core.errors import LubanError, NotFound
from luban.serving.access.declare import needs
from luban.serving.access.principal import principal_of
from luban.surfaces.mlflow import artifacts, experiments, logged, registry, runs
from luban.surfaces.mlflow.errors import shape
from luban.surfaces.rest import bodies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from luban.store import Workspace
    from luban.surfaces.mlflow.fields import Body

    Verb = Callable[[Workspace, Body], Body]

API, PROXY = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts"
INFO = "/api/3.0/mlflow/server-info"
PREFIXES = (f"{API}/", f"{PROXY}/", "/api/3.0/mlflow/")
"""Paths below which errors are told in MLflow's form."""

MOST_BATCH = 1_000_000
"""Bytes of a batch at most, as MLflow's own limit is; others may hold the profile of a data set."""

_READ: tuple[tuple[str, str, Verb], ...] = (
    ("GET", "/experiments/get", experiments.get),
    ("GET", "/experiments/get-by-name", experiments.get_by_name),
    ("GET", "/experiments/search", experiments.search),
    ("POST", "/experiments/search", experiments.search),
    ("GET", "/runs/get", runs.get),
    ("POST", "/runs/search", runs.search),
    ("GET", "/metrics/get-history", runs.history),
    ("GET", "/artifacts/list", artifacts.of_run),
    ("POST", "/logged-models/search", logged.search),
    ("GET", "/logged-models/{model_id}", logged.get),
    ("GET", "/registered-models/get", registry.get),
    ("GET", "/registered-models/search", registry.search),
    ("GET", "/registered-models/get-latest-versions", registry.latest),
    ("POST", "/registered-models/get-latest-versions", registry.latest),
    ("GET", "/registered-models/alias", registry.by_alias),
    ("GET", "/model-versions/get", registry.get_version),
    ("GET", "/model-versions/search", registry.search_versions),
    ("GET", "/model-versions/get-download-uri", registry.download_uri),
)
_WRITE: tuple[tuple[str, str, Verb], ...] = (
    ("POST", "/runs/log-metric", runs.log_metric),
    ("POST", "/runs/log-batch", runs.log_batch),
    ("POST", "/runs/log-parameter", runs.log_parameter),
    ("POST", "/runs/set-tag", runs.set_tag),
    ("POST", "/runs/delete-tag", runs.delete_tag),
    ("POST", "/runs/create", runs.create),
    ("POST", "/runs/update", runs.update),
    ("POST", "/runs/delete", runs.delete),
    ("POST", "/runs/restore", runs.restore),
    ("POST", "/runs/log-inputs", runs.log_inputs),
    ("POST", "/runs/outputs", runs.log_outputs),
    ("POST", "/runs/log-model", runs.log_model),
    ("POST", "/experiments/create", experiments.create),
    ("POST", "/experiments/update", experiments.update),
    ("POST", "/experiments/delete", experiments.delete),
    ("POST", "/experiments/restore", experiments.restore),
    ("POST", "/experiments/set-experiment-tag", experiments.set_tag),
    ("POST", "/experiments/delete-experiment-tag", experiments.delete_tag),
    ("POST", "/logged-models", logged.create),
    ("PATCH", "/logged-models/{model_id}", logged.finalize),
    ("DELETE", "/logged-models/{model_id}", logged.delete),
    ("PATCH", "/logged-models/{model_id}/tags", logged.set_tags),
    ("DELETE", "/logged-models/{model_id}/tags/{tag_key:path}", logged.delete_tag),
    ("POST", "/logged-models/{model_id}/params", logged.log_params),
    ("POST", "/registered-models/create", registry.create),
    ("POST", "/registered-models/rename", registry.rename),
    ("PATCH", "/registered-models/update", registry.update),
    ("DELETE", "/registered-models/delete", registry.delete),
    ("POST", "/registered-models/set-tag", registry.set_tag),
    ("DELETE", "/registered-models/delete-tag", registry.delete_tag),
    ("POST", "/registered-models/alias", registry.set_alias),
    ("DELETE", "/registered-models/alias", registry.delete_alias),
    ("POST", "/model-versions/create", registry.create_version),
    ("PATCH", "/model-versions/update", registry.update_version),
    ("POST", "/model-versions/transition-stage", registry.transition),
    ("DELETE", "/model-versions/delete", registry.delete_version),
    ("POST", "/model-versions/set-tag", registry.set_version_tag),
    ("DELETE", "/model-versions/delete-tag", registry.delete_version_tag),
)
_LISTS = {"order_by", "stages"}


def routes(workspace: Workspace) -> list[Any]:
    """Return the routes, answered from this workspace."""

    def verb(method: str, path: str, function: Verb) -> Route:
        return Route(path, shaped(_endpoint(workspace, function)), methods=[method])

    def file(method: str, function: Callable[[Request, Workspace], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await function(request, _acting(request, workspace))

        return Route("/artifacts/{path:path}", shaped(endpoint), methods=[method])

    async def unknown(_request: Request) -> Response:
        raise NotFound("this server does not speak this part of MLflow's API")

    async def info(_request: Request) -> Response:
        return JSONResponse({"store_type": "luban", "workspaces_enabled": False, "trace_archival_enabled": False})

    rest = [Route("/{rest:path}", shaped(unknown), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
    api = [*needs("write", *(verb(*one) for one in _WRITE)), *needs("read", *(verb(*one) for one in _READ), *rest)]
    proxy = [
        *needs("read", verb("GET", "/artifacts", artifacts.listing), file("GET", artifacts.download)),
        *needs("write", file("PUT", artifacts.upload), file("DELETE", artifacts.remove)),
        *needs("read", Route("/{rest:path}", shaped(unknown), methods=["GET", "POST"])),
    ]
    return [
        *needs("read", Mount(API, routes=api), Mount(PROXY, routes=proxy)),
        *needs("read", Route(INFO, info)),
    ]


def shaped(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint with its errors in MLflow's form."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LubanError as error:
            return JSONResponse(shape(error), status_code=error.status)

    return answer


def _endpoint(workspace: Workspace, function: Verb) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await _given(request)
        body.update(request.path_params)
        return JSONResponse(await run_in_threadpool(function, _acting(request, workspace), body))

    return endpoint


async def _given(request: Request) -> Body:
    """Return the fields of a request: its query, and its JSON body where it has one."""
    given: Body = {}
    for key, value in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if key in _LISTS:
            given.setdefault(key, []).append(value)
        else:
            given[key] = value
    if request.method == "GET":
        return given
    if request.method != "POST" and not request.headers.get("content-type"):
        return given
    most = MOST_BATCH if request.url.path.endswith("/log-batch") else bodies.MOST_JSON
    return {**given, **await bodies.read_json(request, most=most, remedy="Send less at once.")}


def _acting(request: Request, workspace: Workspace) -> Workspace:
    actor = principal_of(request.scope).actor
    return workspace if actor is None else workspace.acting(actor)
