"""Requests that no route takes: what a client is told, and with which headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from starlette.routing import Match

from luban.core.errors import Conflict, InputError, LubanError, NotFound, Refused, Unavailable, Unsupported

if TYPE_CHECKING:
    from starlette.exceptions import HTTPException
    from starlette.requests import Request


class NotAllowed(LubanError):
    """A route that is asked with another method than it takes."""

    code: ClassVar[str] = "method-not-allowed"
    status: ClassVar[int] = 405


_KINDS: dict[int, type[LubanError]] = {one.status: one for one in (InputError, Refused, Conflict, Unsupported)}


def told(request: Request, error: HTTPException) -> tuple[LubanError, dict[str, str]]:
    """Return what a request gets that no route took, and the headers of the answer."""
    seen = f"{request.method} {request.url.path}"
    if error.status_code not in (NotFound.status, NotAllowed.status):
        kind = _KINDS.get(error.status_code, InputError if error.status_code < 500 else Unavailable)
        exact = type(kind.__name__, (kind,), {"status": error.status_code})
        return exact(error.detail.lower(), seen=seen), dict(error.headers or {})
    if error.status_code == NotFound.status:
        remedy = "The routes: /docs. A model answers once it is deployed: luban deploy NAME MODEL."
        return NotFound(error.detail.lower(), seen=seen, remedy=remedy), {}
    allowed = _methods(request) or (error.headers or {}).get("Allow", "").split(", ")
    words = " or ".join(one for one in allowed if one != "HEAD")
    refused = NotAllowed(
        f"the route does not take {request.method}", seen=seen, remedy=f"Ask it with {words}. The routes: /docs."
    )
    return refused, {"Allow": ", ".join(allowed)}


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes of a path: of two for the same path Starlette tells the first one's alone."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ()})
