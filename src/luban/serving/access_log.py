"""The access log: one JSON object a line, written by a thread of its own so that no request waits for it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from luban.core.secrets import hidden

if TYPE_CHECKING:
    from typing import TextIO

_WAITING = 100_000  # lines kept for a stream that is slow to take them; later ones are counted and left out
_SECONDS = 0.1  # how long a line may wait, so that a busy server does not wake the writer for each


class AccessLog:
    """Writes events to a stream, by default standard error.

    Every line has ``time`` (UTC, ISO 8601) and ``event``; where the stream could not keep up the next line says how
    many were left out.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lines: deque[dict[str, Any]] = deque()
        self._left_out = 0
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_all, name="luban-access-log", daemon=True)
        self._writer.start()

    def write(self, event: str, **details: Any) -> None:
        """Queue a line; returns at once."""
        if len(self._lines) >= _WAITING:
            self._left_out += 1
            return
        line = {"time": time.time(), "event": event, **details}
        if self._left_out:
            line["left_out"], self._left_out = self._left_out, 0
        self._lines.append(line)

    def close(self) -> None:
        """Write what is queued and stop."""
        self._closing.set()
        self._writer.join(timeout=5)

    def _write_all(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(_SECONDS)
            text = "".join(line_of(self._lines.popleft()) for _ in range(len(self._lines)))
            if text:
                try:
                    self._stream.write(text)
                    self._stream.flush()
                except (OSError, ValueError):  # the reader of the log has gone; serving goes on without it
                    continue


def line_of(line: dict[str, Any]) -> str:
    """Return a line of the log, of an event with its ``time`` in seconds since 1970; secrets are hidden."""
    moment = datetime.fromtimestamp(line.pop("time"), UTC).isoformat(timespec="milliseconds")
    return hidden(json.dumps({"time": moment, **line})) + "\n"
