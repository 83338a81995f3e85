"""TorchServe's inference and management calls.

Source: https://github.com/pytorch/serve (docs/inference_api.md, docs/management_api.md). A body is one row as a JSON
object, ``{"instances": [...]}`` or ``{"data": [...]}`` of rows, a form with files, or, for a model of one column, the
content itself (``curl -T cat.jpg``). Explanations are exact Shapley values, of models that have them. Management loads
and unloads what is in the workspace, by name; a number of workers is taken where as many calls of a model are answered
at once anyway, and refused where it would have to change that: threads belong to the server as a whole.
"""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from luban.core.errors import InputError, NotFound, Refused, Unsupported
from luban.data.media import data_uri
from luban.data.media.endings import KINDS
from luban.learners.predictions import label_text
from luban.serving.access.declare import needs
from luban.serving.access.principal import principal_of
from luban.serving.answers import answered_rows
from luban.serving.asker import asker_of
from luban.serving.bodies import declared, json_response, parse_object, read_body
from luban.serving.computing import answered
from luban.serving.observe import served
from luban.serving.wires.multipart import is_form, records
from luban.serving.wires.ping import ping_route
from luban.serving.wires.repository import load, repository, unload
from luban.serving.wires.rows import Rows, rows_of
from luban.serving.wires.shaped import shaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from starlette.requests import Request
    from starlette.responses import Response

    from luban.core.errors import LubanError
    from luban.serving.models import Models
    from luban.serving.routed import Routed

_JSON = ("", "application/json", "application/x-www-form-urlencoded")  # the last is what curl says of any body

_PAGE = 100  # models that are listed at once, at most


class TorchServeWire:
    """`luban.core.protocols.Wire` of the protocol."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the protocol's routes, answered by these models."""
        asking, managing = _Asking(runtime), _Managing(runtime)

        def route(path: str, endpoint: Any, method: str) -> Route:
            return Route(path, shaped(endpoint, _shape), methods=[method])

        found: list[Route] = [ping_route(runtime)]
        for tail in ("/{model}", "/{model}/{version}"):
            found += needs("infer", route(f"/predictions{tail}", asking.predictions, "POST"))
            found += needs("infer", route(f"/explanations{tail}", asking.explanations, "POST"))
            found += needs("look", route(f"/models{tail}", managing.describe, "GET"))
            found += needs("write", route(f"/models{tail}", managing.scale, "PUT"))
            found += needs("write", route(f"/models{tail}", managing.unregister, "DELETE"))
        found += needs("write", route("/models/{model}/{version}/set-default", managing.set_default, "PUT"))
        found += needs("look", route("/models", managing.index, "GET"))
        return [*found, *needs("write", route("/models", managing.register, "POST"))]


class _Asking:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def predictions(self, request: Request) -> Response:
        found = self._routed(request)
        return await answered(request, self._models, found, self._reader(request), _write)

    async def explanations(self, request: Request) -> Response:
        found = self._routed(request)
        return await answered(request, self._models, found, self._reader(request), _write_explained, compute=_explain)

    def _routed(self, request: Request) -> Routed:
        path = request.path_params
        return self._models.routed(path["model"], path.get("version"), asker_of(request.scope))

    def _reader(self, request: Request) -> Any:
        return partial(_read, request.headers.get("content-type", ""))


class _Managing:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def index(self, request: Request) -> Response:
        names = sorted(self._models.names)
        first = _whole(request, "next_page_token", 0)
        end = first + min(_whole(request, "limit", _PAGE, least=1), _PAGE)
        more = {"nextPageToken": str(end)} if end < len(names) else {}
        return json_response({**more, "models": [{"modelName": one, "modelUrl": one} for one in names[first:end]]})

    async def describe(self, request: Request) -> Response:
        name, version = request.path_params["model"], request.path_params.get("version")
        found = self._models.find(name, None if version == "all" else version)
        served(request.scope, found.name, found.version)
        versions = self._models.versions(name) if version == "all" else (str(found.version),)
        limits = self._models.limits
        return json_response(
            [
                {
                    "modelName": name,
                    "modelVersion": one,
                    "modelUrl": f"{name}/{one}",
                    "runtime": "luban",
                    "minWorkers": 1,
                    "maxWorkers": limits.threads,
                    "batchSize": limits.rows,
                    "maxBatchDelay": round(limits.delay * 1000),
                    "status": "Healthy",
                }
                for one in versions
            ]
        )

    async def scale(self, request: Request) -> Response:
        await self._nothing(request)
        name, version = request.path_params["model"], request.path_params.get("version")
        self._models.find(name, version)
        threads = self._models.limits.threads
        least = _whole(request, "min_worker", 1)
        most = _whole(request, "max_worker", max(least, threads))
        at_once = request.query_params.get("synchronous", "false").lower()
        if at_once not in ("true", "false"):
            raise InputError("synchronous must be true or false", seen=repr(at_once)[:100])
        if most < least:
            raise InputError("max_worker is less than min_worker", seen=f"{most} and {least}")
        if not 1 <= least <= threads <= most:
            raise Unsupported(
                f"a model here answers up to {threads} calls at once, and that is not changed",
                seen=f"min_worker {least}, max_worker {most}",
                remedy="Processes answer for all models: luban serve --workers N. DELETE /models/NAME serves a model "
                "no more.",
            )
        if at_once == "false":
            return json_response({"status": "Processing worker updates..."}, 202)
        which = name if version is None else f"{name}, version: {version}"
        return json_response({"status": f"Workers scaled to {least} for model: {which}"})

    async def register(self, request: Request) -> Response:
        await self._nothing(request)
        url = request.query_params.get("url", "")
        if not url or not url.replace("-", "").replace("_", "").replace(".", "").isalnum() or url.startswith("."):
            raise InputError(
                "url must name a model or a deployment of the workspace",
                seen=repr(url)[:100],
                remedy="Models are registered by luban fit; here they are loaded by name: ?url=NAME.",
            )
        if request.query_params.get("model_name", url) != url:
            raise InputError(
                "a model is served under its own name", remedy="Leave model_name out, or use luban deploy."
            )
        await self._models.run(load, self._models, url)
        return json_response({"status": f'Model "{url}" Version: {self._models.versions(url)[-1]} registered'})

    async def unregister(self, request: Request) -> Response:
        await self._nothing(request)
        name, version = request.path_params["model"], request.path_params.get("version")
        self._models.find(name, version)
        one_of_several = version is not None and len(self._models.versions(name)) > 1
        if one_of_several and str(self._models.find(name).version) == version:
            raise Refused(
                f"the version of {name!r} that answers where none is asked for cannot be removed before the others",
                seen=f"version {version} of {', '.join(self._models.versions(name))}",
            )
        await self._models.run(unload, self._models, name, version if one_of_several else None)
        return json_response({"status": f'Model "{name}" unregistered'})

    async def set_default(self, request: Request) -> Response:
        await self._nothing(request)
        name, version = request.path_params["model"], request.path_params["version"]
        if name not in self._models.names:
            raise NotFound.named("model", name, self._models.names)
        promote = repository(self._models).promote
        # What who asks may do holds in the thread too.
        await self._models.run(copy_context().run, promote, name, version, principal_of(request.scope).actor)
        return json_response({"status": f'Default version of model "{name}" is set to "{version}"'})

    async def _nothing(self, request: Request) -> None:
        """Read a body that says nothing, within its limit; refuse one that says something, which nobody would heed."""
        ticket = self._models.admission.enter(declared(request.scope))
        limits = self._models.limits
        try:
            body = await read_body(request, limits.body, patience=limits.patience, ticket=ticket)
        finally:
            ticket.leave()
        if body.strip() not in (b"", b"{}"):
            raise InputError(
                "this call takes no body", seen=repr(body[:60]), remedy="Its address says all: ?NAME=VALUE."
            )


def _whole(request: Request, name: str, default: int, *, least: int = 0) -> int:
    """Return a whole number of the query."""
    given = request.query_params.get(name, "")
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) >= least):
        raise InputError(f"{name} must be a whole number from {least} on", seen=repr(given)[:100])
    return int(given)


def _shape(error: LubanError) -> dict[str, Any]:
    kind = "".join(word.capitalize() for word in error.code.split("-"))
    return {"code": error.status, "type": f"{kind}Exception", "message": str(error)}


def _read(content_type: str, routed: Routed, body: bytes) -> Rows:
    kind = content_type.partition(";")[0].strip().lower()
    if is_form(content_type):
        column = next(iter(routed.columns.values()))
        named = routed.columns
        if len(named) == 1 and "data" not in named:  # as its own clients call what they send, whatever it is
            named = {**named, "data": column}
        found = records(body, content_type, named)
        if named is not routed.columns and set(found[0]) == {"data"}:
            found = [{column.name: one["data"]} for one in found]
        return Rows(rows_of(found, routed.columns, "the form"), how="single" if len(found) == 1 else "list")
    column = next(iter(routed.columns.values()))
    content = len(routed.columns) == 1 and (kind not in _JSON or not body[:1].isascii() or body[:1] not in b"{[")
    if content and body and (column.kind in KINDS or kind.startswith("text/")):
        value = data_uri(body) if column.kind in KINDS else _text(body)
        return Rows(rows_of([{column.name: value}], routed.columns, "the body"), how="single")
    asked = parse_object(body)
    for field in ("instances", "data"):
        if field in asked and field not in routed.columns:
            rows = asked[field] if isinstance(asked[field], list) else [asked[field]]
            return Rows(rows_of(rows, routed.columns, field), how="instances" if field == "instances" else "list")
    return Rows(rows_of([asked], routed.columns, "the body"), how="single")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the body is no text in UTF-8", seen=str(error)) from None


def _write(routed: Routed, asked: Rows, found: Any) -> Response:
    return _listed(asked, [found] if isinstance(found, dict) else answered_rows(routed.task, found))


async def _explain(routed: Routed, asked: Rows) -> Any:
    return await routed.explain(asked.records, asked.missing)


def _write_explained(routed: Routed, asked: Rows, found: tuple[np.ndarray, np.ndarray]) -> Response:
    values, base = found
    labels = [label_text(one) for one in routed.task.classes] if values.shape[2] == len(routed.task.classes) else None

    def told(numbers: np.ndarray) -> Any:
        return (
            float(numbers[0])
            if len(numbers) == 1
            else dict(zip(labels or map(str, range(len(numbers))), numbers.tolist(), strict=True))
        )

    rows = [
        {
            "base": told(base),
            "contributions": {name: told(row[place]) for place, name in enumerate(routed.columns)},
        }
        for row in values
    ]
    return _listed(asked, rows)


def _listed(asked: Rows, rows: list[dict[str, Any]]) -> Response:
    if asked.how == "single":
        return json_response(rows[0])
    return json_response({"predictions": rows} if asked.how == "instances" else rows)
