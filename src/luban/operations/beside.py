"""Beside a server: a thread that looks, and a process of its own for what takes longer than a look."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luban.execution.attempts import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LOOK = 1.0
"""Seconds between two looks."""

_GRACE = 10.0  # seconds that a process is given to end when the server stops


class Beside:
    """What a server does beside its answers, until `closing` is set.

    Parameters
    ----------
    work : str
        What is done, in a word; the thread is named by it.
    tell : callable, optional
        Called as ``tell(event, subject=..., ...)``; by default a line of JSON on standard error.

    Attributes
    ----------
    attempt : Attempts
        Does some of the thread's work: what fails is told, and ends none of the rest.
    """

    def __init__(self, work: str, tell: Callable[..., None] | None = None) -> None:
        self.closing = threading.Event()
        self.tell = tell or line
        self.attempt = Attempts(self.tell, work=work)
        self._work = work

    @contextmanager
    def looking(self, look: Callable[[], None]) -> Iterator[None]:
        """Look from a thread while the context is open; the end waits for what is under way."""

        def run() -> None:
            while not self.closing.wait(LOOK):
                self.attempt(look)

        thread = threading.Thread(target=run, name=f"luban-{self._work}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.closing.set()
            thread.join()

    def process(self, module: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a process says on its last line; None where the server stops.

        Raises
        ------
        OSError
            If the machine has no room for another process.
        ValueError
            If the last line is no object of JSON.
        """
        with _started(module, request) as process:
            while True:
                try:
                    said, _ = process.communicate(timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    if self.closing.is_set():
                        _end(process)
                        return None
        lines = said.strip().splitlines()
        if process.returncode or not lines:
            return {"outcome": "failed", "reason": f"the process ended with {process.returncode}"}
        found = json.loads(lines[-1])
        if not isinstance(found, dict):
            raise ValueError(f"the process of {self._work} said {lines[-1][:100]!r}")  # noqa: TRY004 - see json.loads
        return found


def _started(module: str, request: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, json.dumps(request)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def plain(served: Iterable[str]) -> set[str]:
    """Return the names of what is served, without version or alias."""
    return {one.partition("@")[0].partition("/")[0] for one in served}


def line(event: str, **details: Any) -> None:
    """Write an event as a line of JSON on standard error."""
    from datetime import UTC, datetime

    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"time": moment, "event": event, **details}) + "\n")
    sys.stderr.flush()
