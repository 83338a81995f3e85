"""JSON schema of a type, as `luban.core.serial` writes its values."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from luban.core.budget import Duration
from luban.core.serial import hints

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Path: {"type": "string", "format": "path"},
    Duration: {"oneOf": [{"type": "string", "examples": ["90s", "5m"]}, {"type": "number"}]},
    type(None): {"type": "null"},
    Any: {},
}


def json_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a type hint.

    Examples
    --------
    >>> json_schema(tuple[int, ...])
    {'type': 'array', 'items': {'type': 'integer'}}
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [json_schema(one) for one in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (tuple, list, Sequence):
        if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
            return {"type": "array", "prefixItems": [json_schema(one) for one in inner]}
        return {"type": "array", "items": json_schema(inner[0])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": json_schema(inner[1])}
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_schema(kind)
    return {}


def _dataclass_schema(kind: type) -> dict[str, Any]:
    known = hints(kind)
    required = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    return {
        "type": "object",
        "title": kind.__name__,
        "properties": {one.name: json_schema(known[one.name]) for one in fields(kind)},
        "required": required,
    }
