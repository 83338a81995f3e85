"""One worker process as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from luban.execution.threads import thread_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

# How much of what a worker wrote to its standard error is kept to explain a crash.
_TAIL = 4_000


class WorkerProcess:
    """A started worker: its pipes (none of them blocks) and the job it is at.

    Attributes
    ----------
    job : int or None
        Number of the job it is at.
    deadline : float or None
        Value of `time.monotonic` at which it is to be killed.
    reason : str
        Why it was killed by us; empty where it was not.
    """

    def __init__(self, threads: int) -> None:
        self.job: int | None = None
        self.deadline: float | None = None
        self.reason = ""
        self._unread = b""
        self._unsent = b""
        self._errors: deque[bytes] = deque()
        self._process = subprocess.Popen(
            # -P: a file beside the user's data, such as numpy.py, must not take a package's place.
            [sys.executable, "-P", "-m", "luban.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
            env=_environment(threads),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdin = self._process.stdin.fileno()
        self.stdout = self._process.stdout.fileno()
        self.stderr = self._process.stderr.fileno()
        for pipe in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(pipe, False)

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def has_unsent(self) -> bool:
        """Whether orders wait for room in the pipe."""
        return bool(self._unsent)

    def send(self, order: Mapping[str, Any]) -> None:
        """Put an order into the outgoing pipe, as much of it as fits now."""
        self._unsent += json.dumps(order).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        """Write as much of the waiting orders as the pipe takes."""
        try:
            written = os.write(self.stdin, self._unsent)
        except BlockingIOError:
            return
        except BrokenPipeError:  # it has died; the end of its output says so
            self._unsent = b""
            return
        self._unsent = self._unsent[written:]

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the messages that have come in whole, or None when the process has closed its output."""
        chunk = os.read(self.stdout, 1 << 16)
        if not chunk:
            return None
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def receive_errors(self) -> bool:
        """Keep the end of what it writes to its standard error; return False when that is closed."""
        chunk = os.read(self.stderr, 1 << 16)
        self._errors.append(chunk)
        while sum(map(len, self._errors)) - len(self._errors[0]) > _TAIL:
            self._errors.popleft()
        return bool(chunk)

    def kill(self, reason: str) -> None:
        """Kill it and all that it started."""
        self.reason = self.reason or reason
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself
            return

    def bury(self) -> str:
        """Wait for its end, close its pipes and return in words how it came."""
        # Descendants that left its session may keep the pipe of its errors open, so that is not read to its end.
        code = self._wait()
        with contextlib.suppress(BlockingIOError):
            self.receive_errors()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return _ending(code, b"".join(self._errors)[-_TAIL:].decode(errors="replace").strip())

    def _wait(self) -> int:
        until = time.monotonic() + 1.0
        while self._process.poll() is None:
            if time.monotonic() > until:  # it closed its output and lives on
                self.kill("closed its output")
                return self._process.wait()
            time.sleep(0.005)
        return self._process.returncode


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: what the parent can import, as many threads as it may have, no chance."""
    paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100  (zip files and folders that are not there too)
    return {
        **os.environ,
        **thread_environment(threads),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
    }


def _ending(code: int, errors: str) -> str:
    last = f"; the last it wrote: {errors[-1_000:]}" if errors else ""
    if code == -signal.SIGKILL:
        return f"the worker process was killed by the system, most likely because memory ran out{last}"
    if code < 0:
        return f"the worker process crashed with {signal.Signals(-code).name}{last}"
    return f"the worker process ended with exit code {code}{last}"
