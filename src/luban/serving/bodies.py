"""Request bodies and answers: read within a limit, parsed strictly, written as JSON."""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from luban.core.errors import InputError
from luban.serving.limits import TooSlow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import Scope

    from luban.serving.admission import Ticket


class BodyTooLarge(InputError):
    """A request body over the limit."""

    code: ClassVar[str] = "body-too-large"
    status: ClassVar[int] = 413


class UnknownForm(InputError):
    """A request body in a form that is not read."""

    code: ClassVar[str] = "unknown-form"
    status: ClassVar[int] = 415


def declared(scope: Scope) -> int:
    """Return how many bytes a request says that its body has; 0 where it does not say it."""
    value = header(scope, b"content-length") or ""
    return int(value) if value.isdecimal() and len(value) < 20 else 0


def header(scope: Scope, wanted: bytes) -> str | None:
    """Return the value of a request's header, by its name in lower case."""
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return None


async def read_body(request: Request, limit: int, *, patience: float = 60.0, ticket: Ticket | None = None) -> bytes:
    """Return the body of a request, decompressed where it says that it is compressed (gzip, deflate).

    Parameters
    ----------
    limit : int
        Bytes.
    patience : float
        Seconds that the client may take to send it.
    ticket : Ticket, optional
        Is told of bytes that the request did not declare.

    Raises
    ------
    BodyTooLarge
        As soon as it is known to be over `limit` bytes, without reading the rest.
    TooSlow
        If it does not come in time.
    Overloaded
        If there is no room for it.
    """
    said = declared(request.scope)
    if said > limit:
        raise _too_large(limit, str(said))
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit, f"more than {limit}")
    if message.get("more_body"):
        try:
            async with asyncio.timeout(patience):
                body = await _rest(request, body, limit, ticket if not said else None)
        except TimeoutError:
            raise TooSlow(
                "the request body did not come in time", remedy=f"Send it within {patience:g} seconds."
            ) from None
    coding = header(request.scope, b"content-encoding")
    return body if coding is None else _decoded(body, coding, limit)


async def _rest(request: Request, begun: bytes, limit: int, ticket: Ticket | None) -> bytes:
    parts, size, more = [begun], len(begun), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit, f"more than {limit}")
        if ticket is not None:
            ticket.grow(len(part))
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _decoded(body: bytes, coding: str, limit: int) -> bytes:
    if coding.strip().lower() in ("", "identity"):
        return body
    if coding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        raise UnknownForm("the request body is compressed in a way that is not read", seen=coding[:100])
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # both forms, told by their heads
    try:
        found = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise InputError("the request body cannot be decompressed", seen=str(error)) from None
    if len(found) > limit:
        raise _too_large(limit, f"more than {limit} when decompressed")
    if not decoder.eof:
        raise InputError("the request body cannot be decompressed", seen="it ends early")
    return found


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
        value = _DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise InputError("the request body is nested too deeply", remedy="Send a flat JSON object.") from None
    except ValueError as error:
        raise InputError("the request body is not valid JSON", seen=str(error)) from None
    if not isinstance(value, dict):
        raise InputError("the request body must be a JSON object", seen=type(value).__name__)
    return value


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON value; write null for a missing value")


# Made once: to make them costs about as much as to read or to write one row.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON in ASCII; a number that is not finite becomes null."""
    try:
        return _ENCODER.encode(value).encode()
    except ValueError:
        return _ENCODER.encode(_finite(value)).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as a JSON response."""
    return Response(json_bytes(value), status, headers=headers, media_type="application/json")
