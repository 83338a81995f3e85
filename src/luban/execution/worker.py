"""A worker process: ``python -m luban.execution.worker``.

It reads orders as JSON lines from its standard input and writes news as JSON lines to its standard
output:

    {"do": "job", "job": 3, "function": "package.module:function", "arguments": {...}, "paths": true}
    {"do": "stop", "job": 3}                      report() of this job returns False from now on
    {"do": "import", "modules": ["lightgbm"]}     done while there is no job

    {"job": 3, "kind": "progress", "value": ...}
    {"job": 3, "kind": "finished", "value": ...}
    {"job": 3, "kind": "failed", "value": {"error": ..., "type": ..., "trace": ...}}

The end of its input ends the process at once, whatever it is doing.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from luban.core.paths import paths_refused
from luban.core.serial import to_json
from luban.execution.call import describe, resolve

_PR_SET_PDEATHSIG = 1


class Orders:
    """What the parent asked for, gathered by a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._imports: list[str] = []
        self._stopped: set[int] = set()
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        for line in self._stream:
            order = json.loads(line)
            if order["do"] == "job":
                self._jobs.put(order)
            elif order["do"] == "stop":
                self._stopped.add(order["job"])
            else:
                self._imports += order["modules"]
                self._jobs.put({})  # wakes the main thread
        os._exit(0)

    def stopped(self, job: int) -> bool:
        """Return whether this job was asked to stop."""
        return job in self._stopped

    def next_job(self) -> dict[str, Any]:
        """Return the next job, importing what was asked for while there is none."""
        while True:
            try:
                order = self._jobs.get(block=not self._imports)
            except queue.Empty:
                _warm(self._imports.pop(0))
                continue
            if order:
                return order


def _warm(module: str) -> None:
    try:
        import_module(module)
    except Exception:  # noqa: BLE001
        # Warming only saves time. Whoever needs the module imports it again and reports what is wrong with it.
        sys.modules.pop(module, None)


def main() -> None:
    """Serve one parent until its pipe closes."""
    orders, news = _private_pipes()
    die_with_parent()
    _be_killed_first()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox = Orders(orders)
    while True:
        order = inbox.next_job()
        number = order["job"]

        def report(value: Any, number: int = number) -> bool:
            _send(news, number, "progress", value)
            return not inbox.stopped(number)

        try:
            with paths_refused(refused=not order["paths"]):
                result = resolve(order["function"])(report, **order["arguments"])
            _send(news, number, "finished", result)
        except Exception as error:  # noqa: BLE001
            # Any error of a job is news for the parent, never the end of the worker.
            _send(news, number, "failed", describe(error))


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move the protocol to descriptors of its own, so that no library can write into it or read from it."""
    orders, news = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, news


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even inside a C call that holds the interpreter."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _be_killed_first() -> None:
    """Let the kernel, when memory runs out, take a worker rather than the parent, which can then go on."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists() and os.access(score, os.W_OK):
        score.write_text("500")


def _send(news: IO[bytes], job: int, kind: str, value: Any) -> None:
    news.write(json.dumps({"job": job, "kind": kind, "value": to_json(value)}).encode() + b"\n")
    news.flush()


if __name__ == "__main__":
    main()
