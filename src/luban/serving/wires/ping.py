"""Whether the server lives, as several protocols ask it: one route for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from luban.serving.access.declare import needs
from luban.serving.bodies import json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from luban.serving.models import Models


def ping_route(models: Models, path: str = "/ping") -> Route:
    """Return a route that answers ``{"status": "Healthy"}``, or 503 while the server stops."""

    async def ping(_request: Request) -> Response:
        if models.stopping:
            return json_response({"status": "Stopping"}, 503)
        return json_response({"status": "Healthy"})

    route: Route = needs("open", Route(path, ping))[0]
    return route
