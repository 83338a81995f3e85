"""The Open Inference Protocol, version 2, over HTTP: what KServe, Triton, MLServer and their clients speak.

Source: https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md).

A model's inputs are its columns, one tensor of shape (rows, 1) each. ``null`` in ``data`` means missing. Some request
parameters are ours: ``missing`` says what a column that was not sent means (``"error"``, or ``"fill"``: missing
values), ``subject`` and ``consent`` whom the rows are about (`luban.serving.asker`); ``notes`` in an answer says what
was done to make the rows fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
from starlette.responses import Response
from starlette.routing import Route

from luban.core.errors import InputError, NotFound
from luban.serving.access.declare import needs
from luban.serving.asker import asker_of
from luban.serving.bodies import json_bytes, json_response, parse_object, read_body
from luban.serving.computing import compute
from luban.serving.observe import served
from luban.serving.wires.tensors import Tensor, datatype, decode, encode, encode_row, is_text
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from luban.serving.models import Models
    from luban.serving.routed import Routed
    from luban.serving.runtime import Runtime


class OpenInferenceWire:
    """`luban.core.protocols.Wire` of the protocol."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the protocol's routes, answered by these models."""
        endpoints = _Endpoints(runtime)
        model = "/v2/models/{model}"
        version = model + "/versions/{version}"
        return [  # the busiest first: routes are tried in order
            *needs("infer", *(Route(f"{path}/infer", endpoints.infer, methods=["POST"]) for path in (model, version))),
            *needs("open", Route("/v2/health/live", endpoints.live), Route("/v2/health/ready", endpoints.ready)),
            *needs("look", Route("/v2", endpoints.server_metadata)),
            *needs("look", *(Route(path, endpoints.model_metadata) for path in (model, version))),
            *needs("look", *(Route(f"{path}/ready", endpoints.model_ready) for path in (model, version))),
        ]


class _Endpoints:
    def __init__(self, models: Models) -> None:
        self._models = models

    def _find(self, request: Request) -> Runtime:
        found = self._models.find(request.path_params["model"], request.path_params.get("version"))
        served(request.scope, found.name, found.version)
        return found

    async def server_metadata(self, _request: Request) -> Response:
        return json_response({"name": "luban", "version": __version__, "extensions": []})

    async def live(self, _request: Request) -> Response:
        return json_response({"live": True})

    async def ready(self, _request: Request) -> Response:
        ready = not self._models.stopping
        return json_response({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, request: Request) -> Response:
        found = self._find(request)
        return json_response({"name": found.name, "ready": True})

    async def model_metadata(self, request: Request) -> Response:
        found = self._find(request)
        return json_response(metadata(found, self._models.versions(found.name)))

    async def infer(self, request: Request) -> Response:
        path = request.path_params
        found = self._models.routed(path["model"], path.get("version"), asker_of(request.scope))
        served(request.scope, found.name, found.version)
        body = await read_body(request, self._models.largest_body)
        rows, answer = await compute(self._models, found, body, _read, _answer)
        served(request.scope, found.name, found.version, rows)
        return Response(answer, media_type="application/json")


def metadata(runtime: Runtime, versions: Sequence[str]) -> dict[str, Any]:
    """Return the metadata of a model: -1 is the number of rows."""
    return {
        "name": runtime.name,
        "versions": list(versions),
        "platform": f"luban_{runtime.engine}",
        "inputs": [
            {"name": column.name, "datatype": datatype(column), "shape": [-1, 1]} for column in runtime.signature.inputs
        ],
        "outputs": [
            {
                "name": name,
                "datatype": encode(name, values)["datatype"],
                "shape": [-1, *(size or -1 for size in values.shape[1:])],
            }
            for name, values in runtime.empty.outputs.items()
        ],
    }


class _Asked(NamedTuple):
    identifier: str | None
    outputs: list[str]
    tensors: dict[str, Tensor]
    rows: int
    missing: Literal["error", "fill"]


def _read(runtime: Routed, body: bytes) -> _Asked:
    return read(runtime, parse_object(body))


def _answer(runtime: Routed, asked: _Asked) -> bytes:
    return json_bytes(infer(runtime, asked))


def read(runtime: Routed, request: dict[str, Any]) -> _Asked:
    """Return what an inference request in JSON asks for, checked.

    Raises
    ------
    InputError
        Naming the input, and the row where it is about one.
    """
    identifier = request.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InputError("the id of a request must be a string", seen=repr(identifier)[:100])
    parameters = request.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InputError("parameters must be an object", seen=type(parameters).__name__)
    missing = parameters.get("missing", "error")
    if missing not in ("error", "fill"):
        raise InputError("the parameter missing must be error or fill", seen=repr(missing)[:100])
    runtime.asker.says(
        identifier=identifier or None, subject=parameters.get("subject"), consent=parameters.get("consent")
    )
    outputs = _outputs(request.get("outputs"), runtime)
    tensors, rows = _tensors(runtime, request.get("inputs"))
    return _Asked(identifier, outputs, tensors, rows, missing)


def infer(runtime: Routed, asked: _Asked) -> dict[str, Any]:
    """Return the inference response in JSON."""
    response: dict[str, Any] = {"model_name": runtime.name, "model_version": str(runtime.version)}
    if asked.identifier is not None:
        response["id"] = asked.identifier
    columns = runtime.columns
    if asked.rows == 1 and runtime.empty.decided is None:
        row = {name: tensor.single(columns[name]) for name, tensor in asked.tensors.items()}
        found = runtime.predict_row(row, missing=asked.missing)
        response["model_version"] = str(runtime.version)  # the row says which version answers it
        response["outputs"] = [encode_row(name, found[name], runtime.empty.outputs[name]) for name in asked.outputs]
        return response
    arrays = {name: tensor.to_arrow(columns[name]) for name, tensor in asked.tensors.items()}
    answer = runtime.answer(pa.table(arrays), missing=asked.missing)
    if answer.notes:
        response["parameters"] = {"notes": "; ".join(answer.notes)}
    response["outputs"] = [encode(name, answer.outputs[name]) for name in asked.outputs]
    return response


def _outputs(outputs: Any, runtime: Routed) -> list[str]:
    known = list(runtime.empty.outputs)
    if not outputs and outputs in (None, []):
        return known
    if not isinstance(outputs, list):
        raise InputError("outputs must be a list", seen=type(outputs).__name__)
    names = []
    for one in outputs:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            raise InputError("each of the outputs must be an object with a name", seen=repr(one)[:100])
        if name not in known:
            raise _unknown("output", name, known)
        names.append(name)
    return names


def _unknown(what: str, name: str, known: Sequence[str]) -> InputError:
    nearest = NotFound.named(what, name, known)
    return InputError(nearest.happened, remedy=nearest.remedy)


def _tensors(runtime: Routed, inputs: Any) -> tuple[dict[str, Tensor], int]:
    """Return the input tensors by column, and the number of rows that they all have."""
    if not isinstance(inputs, list) or not inputs:
        raise InputError("the request has no list of inputs", seen=type(inputs).__name__)
    columns = runtime.columns
    tensors: dict[str, Tensor] = {}
    for one in inputs:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not is_text(name):
            raise InputError("each of the inputs must be an object with a name", seen=repr(one)[:100])
        if name not in columns:
            raise _unknown("input", name, tuple(columns))
        if name in tensors:
            raise InputError(f"the input {name!r} is there twice")
        tensors[name] = decode(one, columns[name])
    first, rows = next((name, len(tensor.values)) for name, tensor in tensors.items())
    for name, tensor in tensors.items():
        if len(tensor.values) != rows:
            raise InputError(
                "the inputs have different numbers of rows",
                seen=f"{first!r} has {rows}, {name!r} has {len(tensor.values)}",
            )
    return tensors, rows
