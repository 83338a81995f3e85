"""TensorFlow Serving's REST interface.

Source: https://github.com/tensorflow/serving (tensorflow_serving/g3doc/api_rest.md). A row (an ``instance`` or an
``example``) is an object by column name, or a list of values in the columns' order. A label of a version is the name of
an arm of a deployment: ``champion`` or ``canary``. NaN and Infinity, which TensorFlow Serving reads, are refused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from luban.core.errors import InputError, NotFound
from luban.learners.predictions import label_text
from luban.serving.access.declare import needs
from luban.serving.asker import asker_of
from luban.serving.bodies import json_response, parse_object
from luban.serving.computing import answered
from luban.serving.observe import served
from luban.serving.openapi import described
from luban.serving.wires.rows import Rows, outputs_of, rows_of, rows_of_columns, short
from luban.serving.wires.schemas import EXAMPLES, PREDICT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models
    from luban.serving.routed import Routed
    from luban.serving.runtime import Runtime

SIGNATURES = {"predict": ("serving_default", "predict"), "classify": ("classification", "serving_default", "classify"),
              "regress": ("regression", "serving_default", "regress")}  # fmt: skip
_DTYPES = {"number": "DT_DOUBLE", "boolean": "DT_BOOL"}
_OUTPUT_DTYPES = {"b": "DT_BOOL", "i": "DT_INT64", "f": "DT_DOUBLE"}


class TensorFlowServingWire:
    """`luban.core.protocols.Wire` of the protocol."""

    def routes(self, runtime: Models) -> Sequence[Route]:
        """Return the protocol's routes, answered by these models."""
        model = "/v1/models/{model}"
        paths = (model, model + "/versions/{version}", model + "/labels/{label}")
        found: list[Route] = []
        for verb in SIGNATURES:
            endpoint = _verb(runtime, verb)
            asking = needs("infer", *(Route(f"{path}:{verb}", endpoint, methods=["POST"]) for path in paths))
            found += described(PREDICT if verb == "predict" else EXAMPLES, *asking)
        endpoints = _Endpoints(runtime)
        found += needs("look", *(Route(f"{path}/metadata", endpoints.metadata) for path in paths))
        return [*found, *needs("look", *(Route(path, endpoints.status) for path in paths))]


class _Endpoints:
    def __init__(self, models: Models) -> None:
        self._models = models

    async def status(self, request: Request) -> Response:
        name, version = request.path_params["model"], _version(self._models, request)
        found = self._models.find(name, version)
        served(request.scope, found.name, found.version)
        versions = self._models.versions(name) if version is None else (version,)
        state = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        return json_response({"model_version_status": [{"version": one, **state} for one in versions]})

    async def metadata(self, request: Request) -> Response:
        found = self._models.find(request.path_params["model"], _version(self._models, request))
        served(request.scope, found.name, found.version)
        return json_response(metadata(found))


def _verb(models: Models, verb: str) -> Any:
    async def ask(request: Request) -> Response:
        version = _version(models, request)
        found = models.routed(request.path_params["model"], version, asker_of(request.scope))
        return await answered(request, models, found, partial(_READERS[verb], verb), _WRITERS[verb])

    return ask


def _version(models: Models, request: Request) -> str | None:
    """Return the version that a path asks for, by its number or by its label."""
    version: str | None = request.path_params.get("version")
    label = request.path_params.get("label")
    if label is None:
        return version
    answering = models.arms(request.path_params["model"]).answering
    for arm in answering:
        if arm.name == label:
            return str(arm.runtime.version)
    raise NotFound.named("label", label, [arm.name for arm in answering])


def _read_predict(verb: str, routed: Routed, body: bytes) -> Rows:
    asked = parse_object(body)
    _check_signature(verb, asked)
    given = [name for name in ("instances", "inputs") if name in asked]
    if len(given) != 1:
        raise InputError("a request has either instances or inputs", seen=" and ".join(given) or "neither")
    if given == ["instances"]:
        return Rows(rows_of(asked["instances"], routed.columns, "instances"), how="row", short=short(routed))
    inputs, columns = asked["inputs"], routed.columns
    by_column = isinstance(inputs, dict) and set(inputs) != {"b64"}
    rows = rows_of_columns(inputs, columns, "inputs") if by_column else rows_of(inputs, columns, "inputs")
    return Rows(rows, how="column", short=short(routed))


def _write_predict(_routed: Routed, asked: Rows, found: Any) -> Response:
    outputs = outputs_of(found)
    single = next(iter(outputs.values())) if len(outputs) == 1 else None
    if asked.how == "column":
        return json_response({"outputs": outputs if single is None else single})
    if single is not None:
        return json_response({"predictions": single})
    rows = zip(*outputs.values(), strict=True)
    return json_response({"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]})


def _read_examples(verb: str, routed: Routed, body: bytes) -> Rows:
    asked = parse_object(body)
    _check_signature(verb, asked)
    right = (
        "probabilities" in routed.empty.outputs
        if verb == "classify"
        else routed.task.kind in ("regression", "quantile")
    )
    if not right:
        raise InputError(f"a model of the kind {routed.task.kind} cannot {verb}", remedy="Use :predict.")
    context, examples = asked.get("context") or {}, asked.get("examples")
    if not isinstance(context, dict) or not isinstance(examples, list):
        raise InputError("a request has a list of examples, and perhaps a context that is an object")
    rows = [{**context, **one} if isinstance(one, dict) else one for one in examples]
    if not all(isinstance(one, dict) for one in rows):
        raise InputError("each example must be an object")
    return Rows(rows_of(rows, routed.columns, "examples"), short=short(routed))


def _write_classify(routed: Routed, _asked: Rows, found: Any) -> Response:
    labels = [label_text(label) for label in routed.task.classes]
    rows = outputs_of(found)["probabilities"]
    if isinstance(found, dict):
        rows = [list(found["probabilities"].values())]
    return json_response({"results": [[list(pair) for pair in zip(labels, row, strict=True)] for row in rows]})


def _write_regress(_routed: Routed, _asked: Rows, found: Any) -> Response:
    return json_response({"results": outputs_of(found)["prediction"]})


def _check_signature(verb: str, asked: dict[str, Any]) -> None:
    name = asked.get("signature_name") or SIGNATURES[verb][0]
    if name not in SIGNATURES[verb]:
        raise InputError(
            "the model has no such signature", seen=repr(name)[:100], remedy=f"One of {', '.join(SIGNATURES[verb])}."
        )


_READERS = {"predict": _read_predict, "classify": _read_examples, "regress": _read_examples}
_WRITERS = {"predict": _write_predict, "classify": _write_classify, "regress": _write_regress}


def metadata(runtime: Runtime) -> dict[str, Any]:
    """Return the signature of a model as TensorFlow Serving describes one; -1 is the number of rows."""
    inputs = {column.name: _tensor(column.name, _DTYPES.get(column.kind, "DT_STRING"), (-1, 1))
              for column in runtime.signature.inputs}  # fmt: skip
    outputs = {
        name: _tensor(name, _OUTPUT_DTYPES.get(values.dtype.kind, "DT_STRING"), (-1, *values.shape[1:]))
        for name, values in runtime.empty.outputs.items()
    }
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    return {
        "model_spec": {"name": runtime.name, "signature_name": "", "version": str(runtime.version)},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }


def _tensor(name: str, dtype: str, shape: Sequence[int]) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}
