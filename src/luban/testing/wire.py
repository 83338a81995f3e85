"""What every wire must do; run it over one of your own with `check_wire`."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Wire
from luban.serving.access.declare import declared
from luban.serving.limits import Limits
from luban.serving.models import Models
from luban.serving.routes_application import RoutesApplication

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.serving.runtime import Runtime

GARBAGE = (b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"inputs": NaN}', b'{"a": 1}')


def check_wire(wire: Wire, runtimes: Iterable[Runtime]) -> list[str]:
    """Raise AssertionError where a wire breaks the protocol; return the paths of its routes.

    A good request is the wire's own; what any wire must do with a bad one is the same: answer 4xx with a
    reason in JSON, and never fail.

    Parameters
    ----------
    wire : Wire
    runtimes : iterable of Runtime
        Models to answer for.
    """
    name = type(wire).__name__
    assert isinstance(wire, Wire), f"{wire!r} lacks a part of the protocol Wire"
    models = Models(runtimes, limits=Limits(body=200_000))
    try:
        routes = list(wire.routes(models))
        assert routes, f"{name} has no route"
        keys = [(route.path, method) for route in routes for method in route.methods]
        for one, other in itertools.combinations(keys, 2):
            assert one != other, f"{name} has the route {one} twice"
        app = RoutesApplication(routes)
        some = models.all()[0]
        for route in routes:
            assert route.path.startswith("/"), f"{name} has the path {route.path!r}"
            assert declared(route), f"{name}: {route.path} does not say what it needs (luban.serving.access.needs)"
            known = _filled(
                route.path,
                {"model": some.name, "version": str(some.version), "label": models.arms(some.name).champion.name},
            )
            for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
                _check_route(name, app, method, route.path, known)
        return [route.path for route in routes]
    finally:
        models.close()


def _check_route(name: str, app: Any, method: str, path: str, known: str) -> None:
    where = f"{name}: {method} {path}"
    if method == "GET":
        status, _ = _ask(app, method, known, b"")
        assert status < 500, f"{where} fails with {status}"
    else:
        for body in GARBAGE:
            status, answer = _ask(app, method, known, body)
            assert 400 <= status < 500, f"{where} answers {status} to the body {body[:20]!r}"
            _check_reason(where, answer)
        status, _ = _ask(app, method, known, b"")  # some calls say all in their path
        assert status < 500, f"{where} fails with {status} where the body is empty"
        status, answer = _ask(app, method, known, b" " * 300_000)
        assert status == 413, f"{where} answers {status} to a body over the limit"
        _check_reason(where, answer)
    if "{model}" in path:
        status, answer = _ask(
            app, method, _filled(path, {"model": "no-such-model", "version": "1", "label": "champion"}), b"{}"
        )
        assert status == 404, f"{where} answers {status} for a model that is not there"
        _check_reason(where, answer)


def _check_reason(where: str, answer: bytes) -> None:
    try:
        value = json.loads(answer)
    except ValueError:
        raise AssertionError(f"{where} gives its reason not in JSON: {answer[:100]!r}") from None
    assert isinstance(value, dict), f"{where} gives its reason as {type(value).__name__}"
    assert any(isinstance(one, str) and one for one in value.values()), f"{where} refuses without a reason"
    assert "Traceback" not in answer.decode(), f"{where} shows a stack trace"


def _filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: values.get(found[1], "x"), path)


def _ask(app: Any, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Return (status, body) of a request to an ASGI application."""
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(app(scope, receive, send))
    status = next(one["status"] for one in answered if one["type"] == "http.response.start")
    return int(status), b"".join(one.get("body", b"") for one in answered)
