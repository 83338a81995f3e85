"""Frozen dataclasses to JSON values and back, by their type hints."""

from __future__ import annotations

import importlib
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from luban.core.errors import InputError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return `value` as JSON values: dataclasses as objects, tuples as lists, NaN and infinities as None.

    NumPy scalars and arrays are accepted through their ``tolist``.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return str(value)


@cache
def hints(kind: type) -> dict[str, Any]:
    """Return the resolved type hints of a dataclass."""
    # Names imported for type checking alone are resolved from the modules of core.
    names: dict[str, Any] = {"datetime": datetime, "Mapping": Mapping, "Sequence": Sequence, "Any": Any}
    for module in ("schema", "recipe", "task", "dataset", "run", "report", "model"):
        names.update(vars(importlib.import_module(f"luban.core.{module}")))
    names.update(vars(importlib.import_module(kind.__module__)))
    return get_type_hints(kind, localns=names)


def from_json(kind: type[T], value: Any) -> T:
    """Return `value`, made of JSON values, as an instance of `kind`.

    Raises
    ------
    InputError
        If a field is missing, unknown or of the wrong type.
    """
    result: T = _read(kind, value, kind.__name__)
    return result


def _read(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise _wrong(where, value, f"one of {', '.join(map(repr, get_args(kind)))}")
        return value
    if origin is tuple:
        items = _sequence(value, where)
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_read(inner[0], item, where) for item in items)
        if len(items) != len(inner):
            raise _wrong(where, value, f"a list of {len(inner)}")
        return tuple(_read(one, item, where) for one, item in zip(inner, items, strict=True))
    if origin in (list, Sequence):
        return [_read(get_args(kind)[0], item, where) for item in _sequence(value, where)]
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "an object")
        return {str(key): _read(get_args(kind)[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, value, where)
    return _read_plain(kind, value, where)


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:  # an exact type first, so that 1 stays an int where int | float is asked for
        if isinstance(kind, type) and type(value) is kind:
            return value
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _read(kind, value, where)
        except InputError:
            continue
    raise _wrong(where, value, " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds))


def _read_dataclass(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "an object")
    known = hints(kind)
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise InputError(f"{where} has no field {unknown[0]!r}", remedy=f"Known fields: {', '.join(known)}.")
    try:
        return kind(**{name: _read(known[name], item, f"{where}.{name}") for name, item in value.items()})
    except TypeError as error:
        raise InputError(f"{where} is incomplete", seen=str(error)) from error


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is datetime and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise _wrong(where, value, "a date and time in ISO 8601") from None
    if kind is Path and isinstance(value, str):
        return Path(value)
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise _wrong(where, value, getattr(kind, "__name__", str(kind)))


def _sequence(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(where, value, "a list")
    return value


def _wrong(where: str, value: Any, wanted: str) -> InputError:
    return InputError(f"{where} must be {wanted}", seen=repr(value)[:200])
