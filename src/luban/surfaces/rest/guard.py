"""What keeps web pages of other origins away from a server on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from luban.core.errors import Refused
from luban.serving.hosts import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Guard:
    """Refuses requests for a host name that is not this machine's (DNS rebinding), and from foreign pages (CSRF).

    Parameters
    ----------
    loopback : bool
        Whether the server listens for this machine only. Elsewhere it has other names; there a token is needed, which a
        browser does not send by itself.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool = True) -> None:
        self.app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            refused = _reason(headers.get("host", ""), headers.get("origin"), loopback=self._loopback)
            if refused:
                answer = JSONResponse({"error": Refused(refused).to_dict()}, status_code=403)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _reason(host: str, origin: str | None, *, loopback: bool) -> str | None:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # an address that is none
        name = ""
    if loopback and not is_loopback(name):
        return "the host name of the request is not this machine's"
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return "the request comes from a page of another origin"
    return None
