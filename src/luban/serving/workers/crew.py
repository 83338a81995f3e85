"""The parent of worker processes: it holds their sockets, starts them, replaces those that die, and stops them.

Each worker has a socket of its own on the same address (SO_REUSEPORT), among which the kernel shares connections out.
The parent keeps the sockets open, so that connections to a worker that died wait for its successor.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import Unavailable, Unsupported
from luban.serving.access_log import line_of
from luban.serving.server import address, listen
from luban.serving.workers.exchange import TOPICS, Exchange, Link
from luban.serving.workers.place import ENVIRONMENT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

_LOOK = 0.05  # seconds between two looks at the workers
_STABLE = 10.0  # a worker that lived for so many seconds is replaced at once
_LONGEST = 10.0  # seconds that the replacement of one that keeps dying waits at most
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(kw_only=True, eq=False)
class _Worker:
    """One worker process."""

    process: subprocess.Popen[str]
    began: float
    link: Link
    news: dict[str, Any] = field(default_factory=dict)
    reader: threading.Thread | None = None


class Crew:
    """Runs workers until a signal comes.

    Parameters
    ----------
    command : sequence of str
        Starts a worker, which finds its place by `luban.serving.workers.place.place`, tells ``ready`` on its standard
        output when it answers and ``answered`` (a number of requests) when it has stopped. What else it tells and is
        told is the matter of `luban.serving.workers.exchange`.
    workers : int
    host, port
        As of `luban.serving.server.serve`.
    grace : float
        Seconds for requests in flight when it stops.
    """

    def __init__(self, command: Sequence[str], workers: int, host: str, port: int, *, grace: float = 30.0) -> None:
        if sys.platform == "win32":
            raise Unsupported("several workers need an operating system that shares sockets", remedy="Use one worker.")
        self._command = list(command)
        self._grace = grace
        self._listeners = _listeners(host, port, workers)
        self.url = address(self._listeners[0])
        self._folder = tempfile.mkdtemp(prefix="luban-workers-")
        self._workers: list[_Worker] = []
        self._due = [0.0] * workers
        self._deaths = [0] * workers
        self._answered = 0
        self.models: tuple[str, ...] = ()
        self._stop = threading.Event()
        self._exchange = Exchange()

    def run(self, started: Callable[[str], None] | None = None) -> int:
        """Return how many requests were answered, when a signal has stopped all workers.

        Raises
        ------
        Unavailable
            If a worker cannot start, with what it said.
        """
        before = {one: signal.signal(one, lambda *_: self._stop.set()) for one in _SIGNALS}
        try:
            self._workers = [self._start(number) for number in range(len(self._listeners))]
            if self._ready() and started is not None:
                started(self.url)
            while not self._stop.wait(_LOOK):
                self._exchange.turn(self._links)
                self._replace()
        finally:
            self._end()
            for one, handler in before.items():
                signal.signal(one, handler)
        return self._answered

    @property
    def processes(self) -> tuple[int, ...]:
        """The workers' process ids."""
        return tuple(worker.process.pid for worker in self._workers)

    @property
    def _links(self) -> list[Link]:
        return [worker.link for worker in self._workers]

    def _start(self, number: int) -> _Worker:
        listener = self._listeners[number % len(self._listeners)]
        told = {"number": number, "socket": listener.fileno(), "folder": self._folder}
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, ENVIRONMENT: json.dumps(told)},
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone
        )
        assert process.stdin is not None
        worker = _Worker(process=process, began=time.monotonic(), link=Link(process.stdin.fileno()))
        self._exchange.join(worker.link)
        worker.reader = threading.Thread(target=_listen_to, args=(worker,), daemon=True)
        worker.reader.start()
        return worker

    def _ready(self) -> bool:
        """Wait until all answer; return False where a signal came first."""
        while not self._stop.wait(_LOOK):
            for worker in self._workers:
                if worker.process.poll() is not None and "ready" not in worker.news:
                    _join(worker)
                    raise Unavailable("a worker cannot start", seen=str(worker.news.get("error", "it died")))
            if all("ready" in worker.news for worker in self._workers):
                return True
        return False

    def _replace(self) -> None:
        now = time.monotonic()
        for number, worker in enumerate(self._workers):
            if worker.process.poll() is None:
                continue
            if not self._due[number]:
                quick = now - worker.began < _STABLE
                self._deaths[number] = self._deaths[number] + 1 if quick else 0
                wait = min(_LONGEST, 0.1 * 2 ** self._deaths[number] if quick else 0.0)
                self._due[number] = now + wait
                _tell_death(number, worker, wait)
            if now >= self._due[number]:
                _close(worker)
                self._exchange.hear(worker.link, [link for link in self._links if link is not worker.link])
                self._due[number] = 0.0
                self._workers[number] = self._start(number)

    def _end(self) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.terminate()
        deadline = time.monotonic() + self._grace + 5
        for worker in self._workers:
            try:
                worker.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
            _close(worker)
            self._answered += int(worker.news.get("answered", 0))
            self.models = tuple(worker.news.get("models", self.models))
        for listener in self._listeners:
            listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _listen_to(worker: _Worker) -> None:
    assert worker.process.stdout is not None
    for line in worker.process.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):  # something else that prints: it belongs to the log
            sys.stderr.write(line)
        elif told.keys() <= TOPICS:
            worker.link.told.append(told)
        else:
            worker.news.update(told)


def _tell_death(number: int, worker: _Worker, wait: float) -> None:
    """Write a line to the log: a worker ended by itself, or was killed, and another takes its place."""
    _join(worker)
    told = {"worker": number, "exit": worker.process.returncode, "again_in": round(wait, 1)}
    why = {"error": str(worker.news["error"])} if "error" in worker.news else {}
    with suppress(OSError, ValueError):  # the reader of the log has gone
        sys.stderr.write(line_of({"time": time.time(), "event": "worker-died", **told, **why}))
        sys.stderr.flush()


def _join(worker: _Worker) -> None:
    if worker.reader is not None:
        worker.reader.join(timeout=5)


def _close(worker: _Worker) -> None:
    worker.process.wait()
    _join(worker)
    for pipe in (worker.process.stdin, worker.process.stdout):
        if pipe is not None:
            pipe.close()


def _listeners(host: str, port: int, workers: int) -> list[socket.socket]:
    """Return a socket for each worker, or one for all where the operating system does not share connections out."""
    if sys.platform != "linux":
        return [listen(host, port)]
    first = listen(host, port, share=True)
    try:
        others = [listen(host, first.getsockname()[1], share=True) for _ in range(workers - 1)]
    except Unavailable:
        first.close()
        raise
    return [first, *others]
