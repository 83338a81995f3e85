"""The head of an answer and its body, sent as one.

uvicorn writes them one after the other. Sent so they are two calls of the operating system and two packets, and the
client wakes twice, which costs a request of one row about a tenth of its time.
"""

from __future__ import annotations

import asyncio
from typing import Any


class JoinedWrites(asyncio.Transport):
    """A transport that holds every first part until the next one, or until the turn of the event loop ends.

    So at most one part is held, and never while the loop waits.

    Parameters
    ----------
    transport : asyncio.Transport
    loop : asyncio.AbstractEventLoop
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""
        # Nothing is changed in what follows, and all of it is asked for in every request.
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.set_protocol = transport.set_protocol  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """Send what is held with this, or hold this."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data:
            self._held = bytes(data)
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Send what is held and hang up."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once, without what is held."""
        self._held = b""
        self._transport.abort()
