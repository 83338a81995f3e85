"""Jobs in worker processes of this machine."""

from __future__ import annotations

import math
import queue
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from luban.core.errors import Conflict
from luban.core.paths import paths_allowed
from luban.execution.loop import Loop
from luban.execution.resources import resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.core.protocols import Event, Job

MOST_WORKERS = 4
MEMORY_A_WORKER = 1 << 30
# Seconds after which a wait for events looks up.
_LISTEN = 1.0


class LocalExecutor:
    """Runs jobs in warm worker processes.

    A job that is past its deadline is killed with its process, which is replaced; a process that
    crashes fails its job, in words, and is replaced. Workers do not get Ctrl-C, and die with their parent.

    Parameters
    ----------
    workers : int
        How many processes run jobs at the same time.
    threads : int, optional
        How many threads each of them may run; by default the processors this process may use, shared equally.

    Examples
    --------
    >>> from luban.core.protocols import Job
    >>> executor = LocalExecutor()
    >>> number = executor.submit(Job(function="luban.testing.executor:double", arguments={"value": 21}))
    >>> [event.value for event in executor.events()]
    [42]
    >>> executor.close()
    """

    def __init__(self, workers: int = 1, threads: int | None = None) -> None:
        self.workers = workers
        self.threads = threads or max(1, resources().cpus // workers)
        self._news: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._open: set[int] = set()
        self._count = 0
        self._closed = False
        self._loop = Loop(workers=workers, threads=self.threads, news=self._news)

    @classmethod
    def of_this_machine(cls) -> LocalExecutor:
        """Return an executor that uses all that this process may use.

        One worker a processor, four at most and as memory allows, and what is left as threads of each: several fits of
        one thread do more in the same time than one fit of several threads.
        """
        found = resources()
        workers = max(1, min(found.cpus, MOST_WORKERS, found.memory // MEMORY_A_WORKER))
        return cls(workers=workers, threads=max(1, found.cpus // workers))

    def warm(self, *modules: str) -> None:
        """Let every worker import these modules while it has no job, in this order."""
        self._loop.order("warm", modules)

    def submit(self, job: Job) -> int:
        """Queue a job and return its number."""
        if self._closed:
            raise Conflict("this executor is closed", remedy="Make a new one.")
        self._count += 1
        self._open.add(self._count)
        self._loop.order("submit", (self._count, replace(job, paths=job.paths and paths_allowed())))
        return self._count

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield events as they come, until `timeout` seconds have passed or no job is left."""
        until = None if timeout is None else time.monotonic() + timeout
        while self._open:
            left = math.inf if until is None else max(0.0, until - time.monotonic())
            try:
                # A signal that another thread was given does not end the wait: Ctrl-C is seen when it ends by itself.
                news = self._news.get(timeout=min(left, _LISTEN))
            except queue.Empty:
                if left <= _LISTEN:
                    return
                continue
            if isinstance(news, BaseException):
                raise news
            if news.job in self._open:
                if news.kind != "progress":
                    self._open.discard(news.job)
                yield news

    def cancel(self, job: int) -> None:
        """Ask a job to stop, and kill it if it has not within a second; its event is ``killed``."""
        if job in self._open:
            self._loop.order("cancel", job)

    def close(self) -> None:
        """Kill all workers."""
        self._closed = True
        self._open.clear()
        self._loop.stop()

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
