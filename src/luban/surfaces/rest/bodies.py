"""The bodies of requests, read no further than their limits, and waited for no longer than they are worth."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from luban.core.errors import InputError
from luban.serving.limits import TooSlow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

MOST_JSON = 32 << 20
MOST_UPLOADED = 1 << 30

PATIENCE = 30.0
"""Seconds that a client may take over a body, beside those that its bytes may take."""

SLOWEST = 64 << 10
"""Bytes a second at which a body may come for as long as it is: uploads are large, and some lines are slow."""


class TooLarge(InputError):
    """A body above its limit."""

    code: ClassVar[str] = "too-large"
    status: ClassVar[int] = 413


async def read_json(
    request: Request, *, most: int | None = None, remedy: str = "Upload the rows as a file: PUT /api/files/NAME."
) -> dict[str, Any]:
    """Return the JSON object of a request, which has so many bytes at most.

    Raises
    ------
    InputError
        If the body is no JSON object, or is not declared to be JSON (what pages of other origins cannot do unasked).
    TooSlow
        If it does not come in time.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise InputError("the body must be JSON", remedy="Send Content-Type: application/json.")
    content = b"".join([chunk async for chunk in _chunks(request, most or MOST_JSON, remedy)])
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise InputError("the body is not JSON", seen=str(error)[:200]) from error
    if not isinstance(body, dict):
        raise InputError("the body must be a JSON object", seen=type(body).__name__)
    return body


async def receive(request: Request, path: Path, *, most: int | None = None) -> int:
    """Write the body, of so many bytes at most, to a file that appears when it is whole, and return its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    size = 0
    try:
        with partial.open("wb") as file:
            async for chunk in _chunks(request, most or MOST_UPLOADED, "Import it with the command line."):
                size += file.write(chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return size


async def _chunks(request: Request, most: int, remedy: str) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else 0
    if size > most:
        raise TooLarge("the body is too large", seen=f"{size:,} bytes, at most {most:,}", remedy=remedy)
    size = 0
    stream, started = request.stream(), time.monotonic()
    while True:
        left = started + PATIENCE + size / SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(left):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise TooSlow(
                "the body did not come in time",
                seen=f"{size:,} bytes in {time.monotonic() - started:.0f} s",
                remedy=f"Send it within {PATIENCE:g} seconds, or at {SLOWEST:,} bytes a second at least.",
            ) from None
        if chunk is None:
            return
        size += len(chunk)
        if size > most:
            raise TooLarge("the body is too large", seen=f"more than {most:,} bytes", remedy=remedy)
        yield chunk
