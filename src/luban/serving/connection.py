"""Connections whose clients must send the head of a request in time; others are closed. Answers are sent as one.

uvicorn bounds the time between two requests, not how long a client may take over the lines of one head, nor over what
is left of a body when its answer was given already (it was too large, or too slow): one byte now and then would keep a
connection for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from luban.serving.joined_writes import JoinedWrites

if TYPE_CHECKING:
    import asyncio


def connection(patience: float) -> type[asyncio.Protocol]:
    """Return the protocol of connections that wait for so many seconds for a head, or the rest of an answered body."""
    return type("Connection", (_Connection,), {"_patience": patience})


class _Connection(HttpToolsProtocol):
    """One client's connection."""

    _patience: float
    _timer: asyncio.TimerHandle | None = None
    _heading = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(self._joined)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._heading and self._timer is None:  # most heads come at once and need no timer
            self._wait()

    def on_message_begin(self) -> None:
        self._heading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heading = False
        self._end_wait()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
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
