"""Luban's own wire: rows as JSON objects in, predictions as JSON objects out.

``POST /models/M/predict`` (or ``/models/M/versions/V/predict``) with ``{"rows": [{"age": 39, ...}, ...]}`` answers
``{"model": "M/1", "predictions": [{"prediction": ..., "probabilities": {...}}, ...], "notes": [...]}``; a deployment
says its name too (``"deployment": "D"``), beside the reference of the version that answered.
``"missing": "fill"`` beside the rows takes columns that are not there as missing values; ``"id"``, ``"subject"`` and
``"consent"`` there say who asks (`luban.serving.asker`), ``"timeout"`` for how many seconds an answer is waited for. A
picture or sound is its content in base64, or a data URI. Forms with files (multipart/form-data) are taken too: each
part is a column, one that is there n times makes n rows, and ``?missing=fill`` stands in the URL.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from starlette.routing import Route

from luban.core.errors import InputError
from luban.serving.access.declare import needs
from luban.serving.answers import answered_rows
from luban.serving.asker import asker_of
from luban.serving.bodies import header, json_response, parse_object
from luban.serving.computing import answered
from luban.serving.openapi import described
from luban.serving.wires.multipart import is_form, records
from luban.serving.wires.rows import Rows, check_record
from luban.serving.wires.schemas import RECORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models
    from luban.serving.routed import Routed


class RecordsWire:
    """`luban.core.protocols.Wire` of rows as objects."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the routes, answered by these models."""

        async def predict(request: Request) -> Response:
            path = request.path_params
            found = runtime.routed(path["model"], path.get("version"), asker_of(request.scope))
            kind, read, fill = header(request.scope, b"content-type") or "", _read, '"missing": "fill" beside the rows'
            if is_form(kind):
                fill = "?missing=fill in the URL"
                read = partial(_read_form, kind, request.query_params.get("missing", "error"))
            return await answered(request, runtime, found, read, _write, fill=fill)

        paths = ("/models/{model}/predict", "/models/{model}/versions/{version}/predict")
        return described(RECORDS, *needs("infer", *(Route(path, predict, methods=["POST"]) for path in paths)))


def _read(runtime: Routed, body: bytes) -> Rows:
    request = parse_object(body)
    runtime.asker.says(identifier=request.get("id"), subject=request.get("subject"), consent=request.get("consent"))
    if request.get("timeout") is not None:
        runtime.asker.within(request["timeout"])
    rows = request.get("rows")
    if not isinstance(rows, list):
        raise InputError("the request has no list of rows", remedy='Send {"rows": [{"column": value, ...}, ...]}.')
    missing = _checked(request.get("missing", "error"))
    for place, record in enumerate(rows):
        check_record(record, place)
    return Rows(rows, missing)


def _read_form(content_type: str, missing: str, runtime: Routed, body: bytes) -> Rows:
    found = records(body, content_type, runtime.columns)
    for place, record in enumerate(found):
        check_record(record, place)
    return Rows(found, _checked(missing))


def _checked(missing: Any) -> Literal["error", "fill"]:
    if missing not in ("error", "fill"):
        raise InputError("missing must be error or fill", seen=repr(missing)[:100])
    found: Literal["error", "fill"] = missing
    return found


def _write(runtime: Routed, _asked: Rows, found: Any) -> Response:
    one = isinstance(found, dict)
    predictions = [found] if one else answered_rows(runtime.task, found)
    notes = [] if one else list(found.notes)
    said = {"model": runtime.model}  # known only now: the row says which version answers it
    if runtime.deployment is not None:
        said["deployment"] = runtime.deployment
    return json_response({**said, "predictions": predictions, "notes": notes})
