"""The fields of requests, of the type that each must have."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Body = dict[str, Any]
LATEST = 253402300799000  # the end of the year 9999, in milliseconds


def text(body: Mapping[str, Any], name: str, default: str | None = None, *, most: int = 100_000) -> str:
    """Return a text, or raise `InputError` where it is missing without a default, or is none."""
    value = body.get(name, default)
    if value is None:
        raise InputError(f"Missing value for required parameter '{name}'")
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise InputError(f"Invalid value for parameter '{name}': it must be a text", seen=repr(value)[:100])
    return value


def whole(body: Mapping[str, Any], name: str, default: int, *, least: int = 0, most: int = LATEST) -> int:
    """Return a whole number between two limits; protocol buffers write large ones as texts."""
    value = body.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(
            f"Invalid value for parameter '{name}': it must be a whole number from {least} to {most}",
            seen=repr(value)[:100],
        )
    return value


def number(body: Mapping[str, Any], name: str) -> float:
    """Return a number; "NaN" and "Infinity" come as texts."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"Invalid value for parameter '{name}': it must be a number", seen=repr(value)[:100])
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise InputError(f"Invalid value for parameter '{name}': it must be a number", seen=repr(value)[:100]) from None


def objects(body: Mapping[str, Any], name: str) -> list[Body]:
    """Return a list of objects, by default an empty one."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InputError(f"Invalid value for parameter '{name}': it must be a list of objects", seen=repr(value)[:100])
    return value


def texts(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts, by default an empty one."""
    value = body.get(name) or []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"Invalid value for parameter '{name}': it must be a list of texts", seen=repr(value)[:100])
    return value


def pairs(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return a list of {"key", "value"} as a mapping."""
    return {text(one, "key"): text(one, "value", "") for one in objects(body, name)}


def moment(milliseconds: int) -> datetime:
    """Return the moment of so many milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(moment: datetime | None) -> int | None:
    """Return a moment as milliseconds since 1970."""
    return None if moment is None else round(moment.timestamp() * 1000)


def plain(value: float) -> float | str:
    """Return a number as JSON for protocol buffers has it: what is no number as a text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
