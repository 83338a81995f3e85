"""The outermost layer of the application: it measures and logs every request, and lets no failure out unanswered."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from luban.serving.access.principal import principal_of
from luban.serving.asker import asker_of
from luban.serving.bodies import json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from luban.serving.access_log import AccessLog
    from luban.serving.metrics import Metrics

GONE = 499  # the client left before it had sent its request
SERVED = "luban.served"
"""Key of the ASGI scope under which a wire leaves ``(name, version, rows)`` of what it answered."""


def served(scope: Scope, name: str, version: Any, rows: int = 0) -> None:
    """Note for metrics and log which model a request was for, and how many rows it had."""
    scope[SERVED] = (name, str(version), rows)


class Observe:
    """ASGI middleware around the application with these routes; `ends` end what runs beside the requests."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Iterable[Route],
        metrics: Metrics,
        log: AccessLog | None,
        ends: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._ends = tuple(ends)
        self.routes = tuple(routes)
        self._patterns: dict[Any, str] = {
            (one.endpoint, frozenset(one.param_convertors)): one.path for one in self.routes
        }
        self.answered = 0

    def close(self) -> None:
        """End what runs beside the requests."""
        for end in self._ends:
            end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        code, received, sent = 0, 0, 0
        asker = asker_of(scope)

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal code, sent
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message.get("headers", ()), asker.header]
            sent += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, counted_receive, counted_send)
        except ClientDisconnect:
            code = GONE
        except Exception as error:  # noqa: BLE001 - a defect: the client gets no details, the log gets them all
            self._fault(scope, error)
            if not code:
                answer = json_response({"error": "the server failed to answer; its log says why"}, 500)
                await answer(scope, counted_receive, counted_send)
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, code, time.perf_counter() - started, received, sent)

    def _note(self, scope: Scope, code: int, seconds: float, received: int, sent: int) -> None:
        self.answered += 1
        name, version, rows = scope.get(SERVED, ("", "", 0))
        route = self._route(scope)
        self._metrics.answered(
            model=name, version=version, route=route, code=code, seconds=seconds, received=received, rows=rows
        )
        if self._log is not None:
            details = {"model": name, "version": version, "rows": rows} if name else {}
            client = scope.get("client")
            self._log.write(
                "request",
                method=scope["method"],
                path=scope["path"][:500],
                route=route,
                request=asker_of(scope).request_id,
                code=code,
                seconds=round(seconds, 6),
                received=received,
                sent=sent,
                who=principal_of(scope).actor,
                client=client[0] if client else None,
                **details,
            )

    def _route(self, scope: Scope) -> str:
        """Return the pattern of the route that answered: metrics have as many labels as there are routes."""
        key = (scope.get("endpoint"), frozenset(scope.get("path_params", ())))
        return self._patterns.get(key, "unmatched")

    def _fault(self, scope: Scope, error: Exception) -> None:
        if self._log is not None:
            text = "".join(traceback.format_exception(error))
            self._log.write("fault", method=scope["method"], path=scope["path"][:500], error=text)
