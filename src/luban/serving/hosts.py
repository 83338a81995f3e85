"""Which addresses a server may listen on, and under which host names it answers there.

A page in somebody's browser can reach a server on that person's loopback address under a name of the page's
own choosing (DNS rebinding); a server on loopback therefore answers under loopback's own names only.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from luban.serving.bodies import json_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::\d*)?")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class LoopbackNames:
    """ASGI middleware that answers requests only where their Host header is a name of loopback.

    Requests that a page of another origin makes are refused too: its browser says so in the Origin header.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 (Misdirected Request)."""
        if scope["type"] == "http" and not _names_loopback(scope):
            answer = json_response({"error": "this server answers under the names of the loopback address only"}, 421)
            await answer(scope, receive, send)
            return
        if scope["type"] == "http" and _is_foreign(scope):
            answer = json_response({"error": "the request comes from a page of another origin"}, 403)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_foreign(scope: Scope) -> bool:
    origin = _said(scope, b"origin")
    if origin is None:
        return False
    host = _said(scope, b"host") or b""
    return origin not in (b"http://" + host, b"https://" + host)


def _said(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)


def _names_loopback(scope: Scope) -> bool:
    value = _said(scope, b"host")
    return value is None or _is_loopbacks(value)  # HTTP/1.0 has no name; no browser sends that


@lru_cache(maxsize=256)  # to read an address takes longer than the rest of what is asked of every request here
def _is_loopbacks(value: bytes) -> bool:
    host = _HOST.fullmatch(value.decode("latin-1"))
    return host is not None and is_loopback(host[1])
