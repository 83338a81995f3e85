"""MLflow's scoring protocol: what ``mlflow models serve`` answers to.

Source: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/ and mlflow/pyfunc/scoring_server. Where the
server has one name its model answers at /invocations; /models/NAME/invocations asks for one of several. The
parameter ``predict_method`` is that of MLflow's scikit-learn flavour: ``predict`` or ``predict_proba``.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from luban.core.errors import InputError
from luban.serving.access.declare import needs
from luban.serving.asker import asker_of
from luban.serving.bodies import UnknownForm, header, json_response, parse_object
from luban.serving.computing import answered
from luban.serving.openapi import described
from luban.serving.wires.ping import ping_route
from luban.serving.wires.rows import Rows, outputs_of, rows_of, rows_of_columns, short
from luban.serving.wires.schemas import INVOCATIONS
from luban.serving.wires.shaped import shaped
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.core.errors import LubanError
    from luban.serving.models import Models
    from luban.serving.routed import Routed

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
METHODS = {"predict": "prediction", "predict_proba": "probabilities"}
_CODES = {400: "BAD_REQUEST", 404: "RESOURCE_DOES_NOT_EXIST", 429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR",
          503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip


class MlflowWire:
    """`luban.core.protocols.Wire` of the protocol."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the protocol's routes, answered by these models."""

        async def invoke(request: Request) -> Response:
            name = request.path_params.get("model") or _only(runtime)
            found = runtime.routed(name, request.path_params.get("version"), asker_of(request.scope))
            read = _reader(header(request.scope, b"content-type") or "")
            return await answered(request, runtime, found, read, _write)

        async def version(_request: Request) -> Response:
            return PlainTextResponse(__version__)

        paths = (
            "/invocations",
            "/models/{model}/invocations",
            "/models/{model}/versions/{version}/invocations",
        )
        ask = shaped(invoke, _shape)
        return [
            *described(INVOCATIONS, *needs("infer", *(Route(path, ask, methods=["POST"]) for path in paths))),
            *needs("look", Route("/version", version)),
            ping_route(runtime),
            ping_route(runtime, "/health"),
        ]


def _only(models: Models) -> str:
    if len(models.names) != 1:
        raise InputError(
            "the server has several models", seen=", ".join(models.names[:8]), remedy="Ask at /models/NAME/invocations."
        )
    return models.names[0]


def _shape(error: LubanError) -> dict[str, Any]:
    code = _CODES.get(error.status, "INTERNAL_ERROR" if error.status >= 500 else "BAD_REQUEST")
    return {"error_code": code, "message": str(error)}


def _reader(content_type: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return _read_csv
    if kind in ("application/json", ""):
        return _read_json
    raise UnknownForm(
        "the body is in a form that is not read", seen=kind[:100], remedy="Send application/json or text/csv."
    )


def _read_json(routed: Routed, body: bytes) -> Rows:
    asked = parse_object(body)
    given = [name for name in FORMS if name in asked]
    unknown = sorted(set(asked) - {*FORMS, "params"})
    if len(given) != 1 or unknown:
        raise InputError(
            f"a request has exactly one of {', '.join(FORMS)}, and perhaps params",
            seen=", ".join([*given, *unknown])[:200] or "none of them",
        )
    method = _method(asked.get("params"), routed)
    rows = _FORMS[given[0]](asked[given[0]], routed)
    return Rows(rows, how=method, short=short(routed))


def _method(params: Any, routed: Routed) -> str:
    params = {} if params is None else params
    if not isinstance(params, dict):
        raise InputError("params must be an object", seen=type(params).__name__)
    method = params.get("predict_method", "predict")
    if not isinstance(method, str) or METHODS.get(method) not in routed.empty.outputs:
        there = [name for name, output in METHODS.items() if output in routed.empty.outputs]
        raise InputError(
            "the model has no such predict_method", seen=repr(method)[:100], remedy=f"One of {', '.join(there)}."
        )
    return method


def _split(value: Any, routed: Routed) -> list[dict[str, Any]]:
    names = value.get("columns") if isinstance(value, dict) else None
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(names, list) or not isinstance(rows, list) or not all(isinstance(one, str) for one in names):
        raise InputError("dataframe_split must be an object with lists of columns and data")
    if len(set(names)) < len(names):
        raise InputError("dataframe_split has a column twice")
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise InputError("a row of dataframe_split has not a value for each column", seen=f"row {place + 1}")
    return rows_of([dict(zip(names, row, strict=True)) for row in rows], routed.columns, "dataframe_split")


def _records(value: Any, routed: Routed) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InputError("dataframe_records must be a list of objects")
    return rows_of(value, routed.columns, "dataframe_records")


def _tensors(field: str, value: Any, routed: Routed) -> list[dict[str, Any]]:
    if isinstance(value, dict) and set(value) != {"b64"}:
        return rows_of_columns(value, routed.columns, field)
    return rows_of(value, routed.columns, field)


_FORMS: dict[str, Callable[[Any, Routed], list[dict[str, Any]]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": partial(_tensors, "instances"),
    "inputs": partial(_tensors, "inputs"),
}


def _read_csv(routed: Routed, body: bytes) -> Rows:
    """Return the rows of a table with a head; every value is read as the model's column wants it."""
    import pyarrow.csv as pa_csv  # which most servers never need

    try:
        names = pa_csv.open_csv(io.BytesIO(body)).schema.names
        options = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        )
        table = pa_csv.read_csv(io.BytesIO(body), convert_options=options)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError("the body is no CSV with a head", seen=str(error)[:200]) from None
    if len(set(names)) < len(names):
        raise InputError("the CSV has a column twice")
    return Rows(rows_of(table.to_pylist(), routed.columns, "the CSV"), how="predict", short=short(routed))


def _write(_routed: Routed, asked: Rows, found: Any) -> Response:
    return json_response({"predictions": outputs_of(found)[METHODS[asked.how]]})
