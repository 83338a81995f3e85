"""The inner application: routes, tried in order, and every error as ``{"error": ...}``.

It stands in place of Starlette's own application, whose layers a server has already (`luban.serving.observe` answers
for defects) and cost a request of one row some hundredths of its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Router

from luban.core.errors import LubanError
from luban.serving.bodies import json_response
from luban.serving.limits import retry_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send


class RoutesApplication:
    """ASGI application of these routes.

    Attributes
    ----------
    routes : list of starlette.routing.BaseRoute
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._router = Router(routes)
        self.routes = self._router.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no error of Luban's or of HTTP is a defect, and is raised."""
        scope["app"] = self  # where it is there, Starlette's routes raise their errors instead of writing them as text
        try:
            await self._router.app(scope, receive, send)
        except LubanError as error:
            answer = json_response({"error": str(error)}, error.status, retry_headers(error))
        except HTTPException as error:
            answer = _http_error(scope, error)
        else:
            return
        await answer(scope, receive, send)


def _http_error(scope: Scope, error: HTTPException) -> Response:
    seen = f"{scope['method']} {scope['path']}"
    words = {404: f"there is no route {seen}; see /", 405: f"{seen} is not allowed"}
    return json_response({"error": words.get(error.status_code, str(error.detail))}, error.status_code, error.headers)
