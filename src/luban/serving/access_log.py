"""The access log: one JSON object a line, written by a thread of its own so that no request waits for it."""

from __future__ import annotations

import json
import queue
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

_WAITING = 10_000  # lines kept for a stream that is slow to take them; later ones are counted and left out


class AccessLog:
    """Writes events to a stream, by default standard error.

    Every line has ``time`` (UTC, ISO 8601) and ``event``; where the stream could not keep up the next line says how
    many were left out.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue(_WAITING)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="luban-access-log", daemon=True)
        self._writer.start()

    def write(self, event: str, **details: Any) -> None:
        """Queue a line; returns at once."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **details}
        if self._left_out:
            line["left_out"] = self._left_out
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1
        else:
            self._left_out = 0

    def close(self) -> None:
        """Write what is queued and stop."""
        self._lines.put(None)
        self._writer.join(timeout=5)

    def _write(self) -> None:
        gone = False  # the reader of the log may go; serving goes on without it
        while (line := self._lines.get()) is not None:
            if gone:
                continue
            try:
                self._stream.write(json.dumps(line) + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):
                gone = True
