"""Connections whose clients must send the head of a request in time; others are closed.

uvicorn bounds the time between two requests, not how long a client may take over the lines of one head: one byte now
and then would keep a connection for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio


def connection(patience: float) -> type[asyncio.Protocol]:
    """Return the protocol of connections that wait for so many seconds for the head of a request."""

    class Connection(HttpToolsProtocol):
        """One client's connection."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self._timer is None:
                self._wait()

        def on_headers_complete(self) -> None:
            self._end_wait()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_wait()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._timer = self.loop.call_later(patience, self._close)

        def _end_wait(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _close(self) -> None:
            self._timer = None
            self.transport.close()

    return Connection
