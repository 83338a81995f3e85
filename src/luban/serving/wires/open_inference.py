"""The Open Inference Protocol, version 2, over HTTP: what KServe, Triton, MLServer and their clients speak.

Sources: https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md), and of the
extensions https://github.com/triton-inference-server/server (docs/protocol): binary tensors
(`luban.serving.wires.binary`), and the repository, which loads and unloads models of the workspace.

A model's inputs are its columns, one tensor of shape (rows, 1) each. ``null`` in ``data`` means missing. Some request
parameters are ours: ``missing`` says what a column that was not sent means (``"error"``, or ``"fill"``: missing
values), ``subject`` and ``consent`` whom the rows are about (`luban.serving.asker`); ``timeout`` is Triton's: for how
many microseconds the client waits. ``notes`` in an answer says what was done to make the rows fit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
from starlette.responses import Response
from starlette.routing import Route

from luban.core.errors import InputError, NotFound
from luban.serving.access.declare import needs
from luban.serving.asker import asker_of
from luban.serving.bodies import header, json_bytes, json_response, parse_object
from luban.serving.computing import answered
from luban.serving.observe import served
from luban.serving.openapi import described
from luban.serving.wires.binary import HEADER, MEDIA_TYPE, Binary, raw_bytes, split
from luban.serving.wires.repository import repository_routes
from luban.serving.wires.schemas import INFER
from luban.serving.wires.tensors import Tensor, datatype, decode, encode, encode_row, is_text, one_row
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from luban.serving.models import Models
    from luban.serving.routed import Routed
    from luban.serving.runtime import Runtime

EXTENSIONS = ("binary_tensor_data", "model_repository")


class OpenInferenceWire:
    """`luban.core.protocols.Wire` of the protocol."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the protocol's routes, answered by these models."""
        endpoints = _Endpoints(runtime)
        model = "/v2/models/{model}"
        version = model + "/versions/{version}"
        return [  # the busiest first: routes are tried in order
            *described(
                INFER,
                *needs(
                    "infer", *(Route(f"{path}/infer", endpoints.infer, methods=["POST"]) for path in (model, version))
                ),
            ),
            *needs("open", Route("/v2/health/live", endpoints.live), Route("/v2/health/ready", endpoints.ready)),
            *needs("look", Route("/v2", endpoints.server_metadata)),
            *needs("look", *(Route(path, endpoints.model_metadata) for path in (model, version))),
            *needs("look", *(Route(f"{path}/ready", endpoints.model_ready) for path in (model, version))),
            *repository_routes(runtime),
        ]


class _Endpoints:
    def __init__(self, models: Models) -> None:
        self._models = models

    def _find(self, request: Request) -> Runtime:
        found = self._models.find(request.path_params["model"], request.path_params.get("version"))
        served(request.scope, found.name, found.version)
        return found

    async def server_metadata(self, _request: Request) -> Response:
        return json_response({"name": "luban", "version": __version__, "extensions": list(EXTENSIONS)})

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
        read = partial(_read, header(request.scope, HEADER.encode()))
        return await answered(request, self._models, found, read, _write, fill=_FILL)


_FILL = '"parameters": {"missing": "fill"}'


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
    outputs: dict[str, bool]  # by name, whether it is wanted in binary form
    rows: int
    missing: Literal["error", "fill"]
    data: Mapping[str, Any] | pa.Table


def _read(header: str | None, runtime: Routed, body: bytes) -> _Asked:
    text, raw = split(body, header)
    return read(runtime, parse_object(text), Binary(raw))


def read(runtime: Routed, request: dict[str, Any], binary: Binary) -> _Asked:
    """Return what an inference request asks for, checked.

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
    if parameters.get("timeout"):
        runtime.asker.within(_seconds(parameters["timeout"]))
    outputs = _outputs(request.get("outputs"), runtime, parameters.get("binary_data_output") is True)
    data, rows = _data(runtime, request.get("inputs"), binary)
    binary.end()
    return _Asked(identifier, outputs, rows, missing, data)


def _seconds(microseconds: Any) -> float:
    if type(microseconds) is not int or microseconds < 0:
        raise InputError("the parameter timeout must be a whole number of microseconds", seen=repr(microseconds)[:100])
    return min(microseconds, 10**12) / 1e6


def _write(runtime: Routed, asked: _Asked, found: Any) -> Response:
    response: dict[str, Any] = {"model_name": runtime.name, "model_version": str(runtime.version)}
    if asked.identifier is not None:
        response["id"] = asked.identifier
    if isinstance(found, dict):
        outputs = [encode_row(name, found[name], runtime.empty.outputs[name]) for name in asked.outputs]
    else:
        if found.notes:
            response["parameters"] = {"notes": "; ".join(found.notes)}
        outputs = [encode(name, found.outputs[name]) for name in asked.outputs]
    response["outputs"] = outputs
    raw = [_raw(tensor) for tensor in outputs if asked.outputs[tensor["name"]]]
    text = json_bytes(response)
    if not raw:
        return Response(text, media_type="application/json")
    return Response(b"".join([text, *raw]), headers={HEADER: str(len(text))}, media_type=MEDIA_TYPE)


def _raw(tensor: dict[str, Any]) -> bytes:
    """Return the raw bytes of an output, and leave their number in its place."""
    raw = raw_bytes(tensor)
    del tensor["data"]
    tensor["parameters"] = {"binary_data_size": len(raw)}
    return raw


def _outputs(outputs: Any, runtime: Routed, binary: bool) -> dict[str, bool]:
    known = runtime.empty.outputs
    if not outputs and outputs in (None, []):
        return dict.fromkeys(known, binary)
    if not isinstance(outputs, list):
        raise InputError("outputs must be a list", seen=type(outputs).__name__)
    names: dict[str, bool] = {}
    for one in outputs:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            raise InputError("each of the outputs must be an object with a name", seen=repr(one)[:100])
        if name not in known:
            raise _unknown("output", name, list(known))
        names[name] = _parameters(one, name).get("binary_data", binary) is True
    return names


def _parameters(tensor: dict[str, Any], name: str) -> dict[str, Any]:
    parameters = tensor.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InputError(f"the parameters of {name!r} must be an object", seen=type(parameters).__name__)
    return parameters


def _unknown(what: str, name: str, known: Sequence[str]) -> InputError:
    nearest = NotFound.named(what, name, known)
    return InputError(nearest.happened, remedy=nearest.remedy)


def _data(runtime: Routed, inputs: Any, binary: Binary) -> tuple[Mapping[str, Any] | pa.Table, int]:
    """Return what the inputs hold, one row as a mapping where it can be answered so, and how many rows it is."""
    columns, short = runtime.columns, runtime.empty.decided is None
    if short and (row := one_row(inputs, columns)) is not None:
        return row, 1
    tensors, rows = _tensors(runtime, inputs, binary)
    if short and rows == 1:
        return {name: tensor.single(columns[name]) for name, tensor in tensors.items()}, 1
    return pa.table({name: tensor.to_arrow(columns[name]) for name, tensor in tensors.items()}), rows


def _tensors(runtime: Routed, inputs: Any, binary: Binary) -> tuple[dict[str, Tensor], int]:
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
        size = _parameters(one, name).get("binary_data_size") if "parameters" in one else None
        tensors[name] = decode(one, columns[name]) if size is None else binary.tensor(one, size, columns[name])
    first, rows = next((name, len(tensor.values)) for name, tensor in tensors.items())
    for name, tensor in tensors.items():
        if len(tensor.values) != rows:
            raise InputError(
                "the inputs have different numbers of rows",
                seen=f"{first!r} has {rows}, {name!r} has {len(tensor.values)}",
            )
    return tensors, rows
