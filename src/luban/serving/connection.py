"""Connections whose clients must send the head of a request in time, and no endless one. Answers are sent as one.

uvicorn bounds the time between two requests, not how long a client may take over the lines of one head, nor over what
is left of a body when its answer was given already (it was too large, or too slow): one byte now and then would keep a
connection for ever. Nor does it bound a head, whose lines are kept in memory before anybody is asked for a token.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from luban.serving.joined_writes import JoinedWrites

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HEAD = 64 * 1024
"""Bytes of the lines of a request's head at most: a token with a person's many groups has 8 KB."""

_LINE = len(b": \r\n")
"""What a line of a head has beside a name and a value, as clients write it; of the first line's parts it is less."""

_LOG = logging.getLogger(__name__)
_LOG.setLevel(logging.ERROR)  # uvicorn warns of each request that is none, in plain words among the lines of the log


def connection(patience: float, tell: Callable[..., None] | None = None) -> type[asyncio.Protocol]:
    """Return the protocol of connections that wait for so many seconds for a head, or the rest of an answered body.

    Parameters
    ----------
    patience : float
    tell : callable, optional
        Called with an event's name and details where what came is no request, or has too large a head.
    """
    return type("Connection", (_Connection,), {"_patience": patience, "_tell": staticmethod(tell or _nobody)})


def _nobody(_event: str, **_details: Any) -> None:
    """Tell nobody."""


class _Connection(HttpToolsProtocol):
    """One client's connection."""

    _patience: float
    _tell: Callable[..., None]
    _timer: asyncio.TimerHandle | None = None
    _heading = False
    _unread = 0  # bytes that came since what came was last of use, as a whole head or a piece of a body
    _too_large = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _LOG

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(self._joined)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unread > HEAD:  # lines of a head, of what follows a body, or beside its pieces
            self._too_large = True
            self.send_400_response("")
        elif self._heading and self._timer is None:  # most heads come at once and need no timer
            self._wait()

    def on_message_begin(self) -> None:
        self._heading, self._unread = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heading, self._unread = False, 0
        self._end_wait()
        if len(self.url) + sum(len(name) + len(value) + _LINE for name, value in self.headers) > HEAD:
            self._too_large = True
            raise ValueError("the head of a request is too large")  # which ends the parsing with what follows here
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or too large a head, and hang up."""
        client = self.client[0] if self.client else None
        self._tell("no-request", code=431 if self._too_large else 400, client=client)
        if not self._too_large:
            super().send_400_response(msg)
            return
        body = f"The head of a request may have {HEAD} bytes.".encode()
        kind = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[431] + kind % len(body) + body)
        self.transport.close()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._end_wait()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._joined.flush()
        if self.cycle.response_complete and self.cycle.more_body and self._timer is None:
            self._wait()  # it is the last request's answer, and the rest of that is still to come
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self._patience, self._close)

    def _end_wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        self.transport.close()
