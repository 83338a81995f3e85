"""The web application: all installed wires, metrics, and a page that says what is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from luban.core import plugins
from luban.serving.access.declare import declared, needs
from luban.serving.access.gate import Access, Gate, guarded
from luban.serving.bodies import json_response
from luban.serving.hosts import LoopbackNames
from luban.serving.metrics import CONTENT_TYPE, Metrics
from luban.serving.observe import Observe
from luban.serving.openapi import page
from luban.serving.routes_application import RoutesApplication
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

    from luban.core.errors import LubanError
    from luban.serving.access_log import AccessLog
    from luban.serving.models import Models


def application(
    models: Models,
    *,
    log: AccessLog | None = None,
    loopback: bool = True,
    gate: Gate | None = None,
    folder: Path | None = None,
) -> Observe:
    """Return the ASGI application that answers for these models.

    Parameters
    ----------
    models : Models
    log : AccessLog, optional
    loopback : bool
        Whether it listens on a loopback address and so answers under loopback's names only.
    gate : Gate, optional
        Says who asks; by default nobody has to say so on loopback, and nobody is let in elsewhere.
    folder : Path, optional
        Common to the processes of one server, whose metrics are told as one.
    """
    metrics = Metrics(models, folder)
    routes: list[Any] = []
    taken: set[tuple[str, str]] = set()
    for name in plugins.names("wires"):
        for route in plugins.create("wires", name).routes(models):
            keys = {(route.path, method) for method in route.methods}
            if not keys <= taken:  # several protocols ask GET /ping, and are answered the same
                taken |= keys
                routes.append(route)

    ends: list[Callable[[], None]] = [metrics.close]
    if models.feedback is not None:
        from luban.serving.feedback import feedback_routes

        more, end = feedback_routes(models, models.feedback)
        routes += more
        ends.append(end)
    routes.sort(key=_busy)  # they are tried in order

    async def read_metrics(_request: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    async def landing(_request: Request) -> Response:
        return json_response(
            {
                "name": "luban",
                "version": __version__,
                "models": [f"{one.name}/{one.version}" for one in models.all()],
                "routes": sorted({one.path for one in routes}),
            }
        )

    async def openapi(_request: Request) -> Response:
        return json_response(page(routes))

    routes += [
        *needs("look", Route("/", landing), Route("/openapi.json", openapi)),
        *needs("read", Route("/metrics", read_metrics)),
    ]
    inner: Any = RoutesApplication(routes)
    guarded(inner.routes)
    inner = Access(inner, gate or Gate(loopback=loopback), routes, _refusal)
    return Observe(LoopbackNames(inner) if loopback else inner, routes, metrics, log, ends)


def _busy(route: Any) -> tuple[bool, bool]:
    """Return a key by which routes that ask a model by its name come first."""
    need = declared(route)
    return need is None or need.need != "infer", not route.param_convertors


def _refusal(error: LubanError, headers: dict[str, str]) -> Response:
    return json_response({"error": str(error)}, error.status, headers)
