"""Luban's own wire: rows as JSON objects in, predictions as JSON objects out.

``POST /models/M/predict`` (or ``/models/M/versions/V/predict``) with ``{"rows": [{"age": 39, ...}, ...]}`` answers
``{"model": "M/1", "predictions": [{"prediction": ..., "probabilities": {...}}, ...], "notes": [...]}``.
``"missing": "fill"`` beside the rows takes columns that are not there as missing values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from luban.core.errors import InputError
from luban.serving.answers import answered_rows
from luban.serving.bodies import json_bytes, parse_object, read_body
from luban.serving.observe import served
from luban.serving.wires.tensors import is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from luban.serving.models import Models
    from luban.serving.runtime import Runtime


class RecordsWire:
    """`luban.core.protocols.Wire` of rows as objects."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the routes, answered by these models."""

        async def predict(request: Request) -> Response:
            found = runtime.find(request.path_params["model"], request.path_params.get("version"))
            served(request.scope, found.name, found.version)
            body = await read_body(request, runtime.largest_body)
            rows, answer = await runtime.run(_answer, found, body)
            served(request.scope, found.name, found.version, rows)
            return Response(answer, media_type="application/json")

        paths = ("/models/{model}/predict", "/models/{model}/versions/{version}/predict")
        return [Route(path, predict, methods=["POST"]) for path in paths]


def _answer(runtime: Runtime, body: bytes) -> tuple[int, bytes]:
    request = parse_object(body)
    rows, missing = request.get("rows"), request.get("missing", "error")
    if not isinstance(rows, list):
        raise InputError("the request has no list of rows", remedy='Send {"rows": [{"column": value, ...}, ...]}.')
    if missing not in ("error", "fill"):
        raise InputError("missing must be error or fill", seen=repr(missing)[:100])
    for place, row in enumerate(rows):
        _check(row, f"row {place + 1}")
    answer: dict[str, Any] = {"model": f"{runtime.name}/{runtime.version}"}
    if len(rows) == 1:
        answer |= {"predictions": [runtime.predict_row(rows[0], missing=missing)], "notes": []}
    else:
        found = runtime.answer(rows, missing=missing) if rows else runtime.empty_answer()
        answer |= {"predictions": answered_rows(runtime.task, found), "notes": list(found.notes)}
    return len(rows), json_bytes(answer)


def _check(row: Any, where: str) -> None:
    """Raise `InputError` where a row is no object of plain values."""
    if not isinstance(row, dict):
        raise InputError("each row must be a JSON object", seen=f"{type(row).__name__} in {where}")
    for name, value in row.items():
        if not is_text(name):
            raise InputError("the name of a column holds half a character", seen=where)
        if isinstance(value, dict | list):
            raise InputError(f"the column {name!r} holds a nested value", seen=where)
        if isinstance(value, str) and not is_text(value):
            raise InputError(f"the column {name!r} holds half a character", seen=where)
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise InputError(f"the column {name!r} holds a whole number of more than 64 bits", seen=where)
