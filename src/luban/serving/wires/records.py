"""Luban's own wire: rows as JSON objects in, predictions as JSON objects out.

``POST /models/M/predict`` (or ``/models/M/versions/V/predict``) with ``{"rows": [{"age": 39, ...}, ...]}`` answers
``{"model": "M/1", "predictions": [{"prediction": ..., "probabilities": {...}}, ...], "notes": [...]}``.
``"missing": "fill"`` beside the rows takes columns that are not there as missing values; ``"id"``, ``"subject"`` and
``"consent"`` there say who asks (`luban.serving.asker`), ``"timeout"`` for how many seconds an answer is waited for. A
picture or sound is its content in base64, or a data URI. Forms with files (multipart/form-data) are taken too: each
part is a column, one that is there n times makes n rows, and ``?missing=fill`` stands in the URL.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from starlette.routing import Route

from luban.core.errors import InputError
from luban.serving.access.declare import needs
from luban.serving.answers import answered_rows
from luban.serving.asker import asker_of
from luban.serving.bodies import json_response, parse_object
from luban.serving.computing import answered
from luban.serving.wires.multipart import is_form, records
from luban.serving.wires.tensors import is_text

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
            kind, asked = request.headers.get("content-type", ""), request.query_params.get("missing", "error")
            read = partial(_read_form, kind, asked) if is_form(kind) else _read
            return await answered(request, runtime, found, read, _write)

        paths = ("/models/{model}/predict", "/models/{model}/versions/{version}/predict")
        return needs("infer", *(Route(path, predict, methods=["POST"]) for path in paths))


class _Asked(NamedTuple):
    records: list[dict[str, Any]]
    missing: Literal["error", "fill"]

    @property
    def rows(self) -> int:
        return len(self.records)

    @property
    def data(self) -> Any:
        return self.records[0] if len(self.records) == 1 else self.records


def _read(runtime: Routed, body: bytes) -> _Asked:
    request = parse_object(body)
    runtime.asker.says(identifier=request.get("id"), subject=request.get("subject"), consent=request.get("consent"))
    if request.get("timeout") is not None:
        runtime.asker.within(request["timeout"])
    rows = request.get("rows")
    if not isinstance(rows, list):
        raise InputError("the request has no list of rows", remedy='Send {"rows": [{"column": value, ...}, ...]}.')
    missing = _checked(request.get("missing", "error"))
    for place, record in enumerate(rows):
        _check(record, place)
    return _Asked(rows, missing)


def _read_form(content_type: str, missing: str, runtime: Routed, body: bytes) -> _Asked:
    found = records(body, content_type, runtime.columns)
    for place, record in enumerate(found):
        _check(record, place)
    return _Asked(found, _checked(missing))


def _checked(missing: Any) -> Literal["error", "fill"]:
    if missing not in ("error", "fill"):
        raise InputError("missing must be error or fill", seen=repr(missing)[:100])
    found: Literal["error", "fill"] = missing
    return found


def _write(runtime: Routed, _asked: _Asked, found: Any) -> Response:
    one = isinstance(found, dict)
    predictions = [found] if one else answered_rows(runtime.task, found)
    notes = [] if one else list(found.notes)
    model = f"{runtime.name}/{runtime.version}"  # known only now: the row says which version answers it
    return json_response({"model": model, "predictions": predictions, "notes": notes})


def _check(record: Any, place: int) -> None:
    """Raise `InputError` where a record is no object of plain values."""
    if not isinstance(record, dict):
        raise InputError("each row must be a JSON object", seen=f"{type(record).__name__} in row {place + 1}")
    for name, value in record.items():
        wrong = None if is_text(name) else "a name that holds half a character"
        if isinstance(value, dict) or (isinstance(value, list) and not all(map(is_text, value))):
            wrong = "a nested value"
        elif isinstance(value, str):
            wrong = wrong if is_text(value) else "half a character"
        elif type(value) is int and not -(2**63) <= value < 2**63:
            wrong = "a whole number of more than 64 bits"
        if wrong:
            raise InputError(f"the column {name!r} holds {wrong}", seen=f"row {place + 1}")
