"""The REST application: routes made from the operations.

Operations that only read and are quick answer GET with query parameters; all others answer POST with
a JSON object. A long one answers 202 with the address of its job.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from luban.core import plugins
from luban.core.errors import InputError, LubanError, NotFound
from luban.core.serial import to_json
from luban.serving.access.declare import BODY, needs
from luban.serving.access.gate import Access, Gate, gate_of, guarded
from luban.serving.access.principal import permit, principal_of
from luban.serving.observe import GONE
from luban.surfaces import mlflow
from luban.surfaces.call import arguments_for, call, variants
from luban.surfaces.rest import bodies, files, openapi, refusals, words
from luban.surfaces.rest.guard import Guard
from luban.surfaces.rest.jobs import Jobs
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from luban.core.operation import Operation
    from luban.store import Workspace


def operations() -> tuple[Operation, ...]:
    """Return the operations that a server offers, by name."""
    found = (plugins.load("operations", name) for name in plugins.names("operations"))
    return tuple(operation for operation in found if operation.remote)


def application(
    workspace: Workspace, *, gate: Gate | None = None, more: Callable[[], dict[str, Any]] = dict
) -> Starlette:
    """Return the ASGI application that serves one workspace.

    Parameters
    ----------
    workspace : Workspace
    gate : Gate, optional
        Says who asks; by default nobody has to say so until a token was made.
    more : callable
        Returns the OpenAPI paths of what answers beside the operations; by default there are none.
    """
    gate = gate or gate_of(workspace.tokens, loopback=True)
    offered = operations()
    jobs = Jobs()
    uploads = workspace.root / "files"
    page = partial(_page, openapi.document(offered), more)

    async def root(_request: Request) -> Response:
        return JSONResponse({"luban": __version__, "openapi": "/openapi.json", "docs": "/docs"})

    async def schema(_request: Request) -> Response:
        return JSONResponse(page())

    async def docs(_request: Request) -> Response:
        return HTMLResponse(openapi.html(page()))

    async def job(request: Request) -> Response:
        return JSONResponse(jobs.get(request.path_params["job"]).to_dict())

    async def stop(request: Request) -> Response:
        return JSONResponse(jobs.stop(request.path_params["job"]).to_dict(), status_code=202)

    async def upload(request: Request) -> Response:
        path = files.inside(uploads, request.path_params["name"])
        size = await bodies.receive(request, path)
        return JSONResponse({"file": request.path_params["name"], "bytes": size}, status_code=201)

    async def download(request: Request) -> Response:
        path = files.inside(uploads, request.path_params["name"])
        if not path.is_file():
            raise NotFound("there is no such file", seen=request.path_params["name"])
        # Never shown as a page: what was uploaded must not run in this origin.
        return FileResponse(path, filename=path.name, media_type="application/octet-stream")

    async def live(_request: Request) -> Response:
        return JSONResponse({"live": True})

    routes = [
        *needs("open", Route("/health", live)),
        *needs("read", Route("/", root), Route("/openapi.json", schema), Route("/docs", docs)),
        *needs("read", Route("/api/jobs/{job}", job), Route("/api/files/{name:path}", download, methods=["GET"])),
        *needs("write", Route("/api/jobs/{job}", stop, methods=["DELETE"])),
        *needs("write", Route("/api/files/{name:path}", upload, methods=["PUT"])),
    ]
    for one in offered:
        route = Route(openapi.path(one), _endpoint(one, workspace, jobs, uploads), methods=[openapi.method(one)])
        routes += needs(openapi.need(one), route, subject=BODY if one.about else None)

    routes += mlflow.routes(workspace)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        jobs.close()

    handlers: dict[Any, Any] = {
        LubanError: _answer_error,
        HTTPException: _answer_refusal,
        ClientDisconnect: _answer_nobody,
        Exception: _answer_defect,
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    guarded(app.routes)
    app.add_middleware(Access, gate=gate, routes=routes, answer=_refusal)
    app.add_middleware(Guard, loopback=gate.loopback)
    return app


def _page(own: dict[str, Any], more: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return {**own, "paths": more() | own["paths"]}


def _endpoint(
    operation: Operation, workspace: Workspace, jobs: Jobs, uploads: Path
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if openapi.method(operation) == "GET":
            given: dict[str, Any] = dict(request.query_params)
        else:
            given = await bodies.read_json(request)
        if operation.about:
            permit(request.scope, *_about(operation, given))
        actor = principal_of(request.scope).actor
        arguments_for(operation, given)  # what is wrong with the request is told at once, and by no job
        arguments = _arguments(operation, given, workspace, uploads)
        if operation.long:
            work = jobs.start(operation.name, partial(_called, operation, workspace, arguments, actor))
            where = f"/api/jobs/{work.id}"
            return JSONResponse({"job": work.id, "url": where}, status_code=202, headers={"Location": where})
        result = await run_in_threadpool(_called, operation, workspace, arguments, actor)
        return JSONResponse(to_json(result))

    return endpoint


def _called(operation: Operation, workspace: Workspace, arguments: dict[str, Any], actor: str | None) -> Any:
    from luban.core.paths import paths_refused
    from luban.serving.missing import missing_told

    fill = '"missing": "fill"' if any(one.name == "missing" for one in operation.parameters) else None
    # Rows of a request must not name files of this machine, and its client has no command line.
    with paths_refused(), missing_told(fill):
        if actor is None:
            return call(operation, workspace, arguments)
        with workspace.acting(actor) as place:
            return call(operation, place, arguments)


def _about(operation: Operation, given: dict[str, Any]) -> list[str]:
    """Return the models and deployments that a request names; where it leaves one out it may mean any, so none."""
    found = [given.get(name) for name in operation.about]
    return [one for one in found if isinstance(one, str)] if all(isinstance(one, str) for one in found) else []


def _arguments(operation: Operation, given: dict[str, Any], workspace: Workspace, uploads: Path) -> dict[str, Any]:
    """Return the arguments with every path in the folder of files, and every name of rows as the rows that it names."""
    arguments = dict(given)
    for parameter in operation.parameters:
        value = arguments.get(parameter.name)
        if value is None:
            continue
        if Path in variants(parameter.annotation):
            if not isinstance(value, str):
                raise InputError(f"{parameter.name} must be a file name", seen=repr(value)[:100])
            arguments[parameter.name] = files.inside(uploads, value)
            arguments[parameter.name].parent.mkdir(parents=True, exist_ok=True)
        elif parameter.annotation is Any:
            arguments[parameter.name] = files.data(workspace, uploads, value)
    return arguments


def _refusal(error: LubanError, headers: dict[str, str]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await _told(error, scope["path"], headers)(scope, receive, send)

    return answer


def _told(error: LubanError, path: str, headers: dict[str, str] | None = None) -> Response:
    """Return the response for an error, in the form that the clients of a path expect."""
    body = mlflow.shape(error) if path.startswith(mlflow.PREFIXES) else {"error": words.shown(error)}
    return JSONResponse(body, status_code=error.status, headers=headers)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LubanError)
    return _told(error, request.url.path)


async def _answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refused, headers = refusals.told(request, error)
    return _told(refused, request.url.path, headers)


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=GONE)  # nobody reads it; that a client left is no defect, and is not logged as one


async def _answer_defect(request: Request, error: Exception) -> Response:
    happened = f"the server met an error of its own ({type(error).__name__})"
    if request.url.path.startswith(mlflow.PREFIXES):
        return JSONResponse({"error_code": "INTERNAL_ERROR", "message": happened}, status_code=500)
    return JSONResponse({"error": {"code": "defect", "happened": happened}}, status_code=500)
