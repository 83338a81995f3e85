"""Settings of a preparation in a payload: a JSON object with its name, read back with every value checked."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from luban.core.errors import InputError, Tampered

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "preparation.json"
Made = TypeVar("Made")


def written(preparation: Any, *, without: tuple[str, ...] = ()) -> bytes:
    """Return the fields of a frozen dataclass as JSON, with the name of the preparation and the number of its form."""
    values = {one.name: getattr(preparation, one.name) for one in fields(preparation) if one.name not in without}
    tree = {"preparation": preparation.name, "form": 1, **values}
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True).encode()


def read(cls: type, payloads: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the settings that `written` wrote, of the types that the fields of `cls` have.

    Raises
    ------
    Tampered
        If the payload is missing, no JSON, of another preparation, or holds a value of another type.
    """
    if NAME not in payloads:
        raise _damaged(f"no {NAME}")
    try:
        tree = json.loads(payloads[NAME])
    except (ValueError, RecursionError) as error:
        raise _damaged(f"no JSON: {error}") from error
    if not isinstance(tree, dict) or tree.pop("preparation", None) != cls.name:  # type: ignore[attr-defined]
        raise _damaged(f"not the settings of {cls.name}")  # type: ignore[attr-defined]
    if tree.pop("form", None) != 1:
        raise _damaged("written by a later Luban")
    hints = get_type_hints(cls)
    known = {one.name for one in fields(cls)}
    strange = set(tree) - known
    if strange:
        raise _damaged(f"an unknown setting {min(strange)!r}")
    return {name: _checked(name, value, hints[name]) for name, value in tree.items()}


def _checked(name: str, value: Any, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, list) or (Ellipsis not in inner and len(inner) != len(value)):
            raise _damaged(f"{name} holds {value!r:.60}")
        kinds = [inner[0]] * len(value) if Ellipsis in inner else list(inner)
        return tuple(_checked(name, one, kind) for one, kind in zip(value, kinds, strict=True))
    if hint is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    if hint in {int, str, bool} and type(value) is hint:
        return value
    raise _damaged(f"{name} holds {value!r:.60}")


def _damaged(seen: str) -> Tampered:
    return Tampered(
        "a saved preparation cannot be read",
        seen=seen,
        remedy="Load the model from an undamaged copy, or fit it again.",
    )


def construct(cls: type[Made], values: Mapping[str, Any]) -> Made:
    """Return ``cls(**values)``; values that it refuses were not written by it.

    Raises
    ------
    Tampered
        If a setting is missing or not allowed.
    """
    try:
        return cls(**values)
    except (TypeError, InputError) as error:
        raise _damaged(str(error)) from error
