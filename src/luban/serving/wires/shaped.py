"""Errors in the form that a protocol's clients expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError
from luban.serving.bodies import json_response
from luban.serving.limits import retry_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]


def shaped(endpoint: Endpoint, shape: Callable[[LubanError], dict[str, Any]]) -> Endpoint:
    """Return the endpoint, with errors of which clients are told in this shape."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LubanError as error:
            return json_response(shape(error), error.status, retry_headers(error))

    return answer
