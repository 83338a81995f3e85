"""Request bodies and answers: read within a limit, parsed strictly, written as JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.responses import Response

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request


class BodyTooLarge(InputError):
    """A request body over the limit."""

    code: ClassVar[str] = "body-too-large"
    status: ClassVar[int] = 413


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request.

    Raises
    ------
    BodyTooLarge
        As soon as it is known to be over `limit` bytes, without reading the rest.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise _too_large(limit, declared)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit, f"more than {limit}")
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int, seen: str) -> BodyTooLarge:
    return BodyTooLarge(
        "the request body is too large",
        seen=f"{seen} bytes",
        remedy=f"Send at most {limit} bytes, in several requests.",
    )


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body.

    Raises
    ------
    InputError
        If it is no JSON (NaN and Infinity are none), is nested too deeply, or is no object.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise InputError("the request body is nested too deeply", remedy="Send a flat JSON object.") from None
    except ValueError as error:
        raise InputError("the request body is not valid JSON", seen=str(error)) from None
    if not isinstance(value, dict):
        raise InputError("the request body must be a JSON object", seen=type(value).__name__)
    return value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value; write null for a missing value")


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON in ASCII; a number that is not finite becomes null."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as a JSON response."""
    return Response(json_bytes(value), status, headers=headers, media_type="application/json")
