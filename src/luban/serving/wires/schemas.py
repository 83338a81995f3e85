"""What the bodies of the protocols look like, as JSON schemas for the OpenAPI page."""

from __future__ import annotations

from typing import Any

ROW: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
}
ROWS: dict[str, Any] = {"type": "array", "items": ROW}
_COLUMNS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "array"}}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_PARAMETERS = {"type": "object"}
_TENSOR = _object(
    ("name", "shape", "datatype", "data"),
    name={"type": "string"},
    shape={"type": "array", "items": {"type": "integer", "minimum": 0}},
    datatype={"type": "string"},
    data={"type": "array"},
    parameters=_PARAMETERS,
)
INFER = _object(
    ("inputs",),
    id={"type": "string"},
    parameters=_PARAMETERS,
    inputs={"type": "array", "items": _TENSOR},
    outputs={"type": "array", "items": _object(("name",), name={"type": "string"}, parameters=_PARAMETERS)},
)
RECORDS = _object(
    ("rows",),
    rows=ROWS,
    missing={"enum": ["error", "fill"]},
    id={"type": "string"},
    subject={"type": "string"},
    consent={"type": "boolean"},
    timeout={"type": "number", "exclusiveMinimum": 0},
)
_SIGNATURE = {"type": "string"}
PREDICT = _object(signature_name=_SIGNATURE, instances={"type": "array"}, inputs={})
EXAMPLES = _object(("examples",), signature_name=_SIGNATURE, context=ROW, examples=ROWS)
INVOCATIONS = _object(
    dataframe_split=_object(("columns", "data"), columns={"type": "array", "items": {"type": "string"}},
                            data={"type": "array", "items": {"type": "array"}}),
    dataframe_records=ROWS,
    instances={"type": "array"},
    inputs={"anyOf": [{"type": "array"}, _COLUMNS]},
    params=_PARAMETERS,
)  # fmt: skip
INDEX = _object(ready={"type": "boolean"})
_TEXT = {"type": "string"}
FEEDBACK = _object(("name", "data"), name=_TEXT, data=ROWS, request_id=_TEXT, label=_TEXT, row=_TEXT)
