"""Jobs in this very process, for tests and for debugging."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from luban.core.paths import paths_allowed, paths_refused
from luban.core.protocols import Event, Job
from luban.core.serial import to_json
from luban.execution.call import describe, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator


class InlineExecutor:
    """Runs each job when its events are asked for.

    It cannot kill: a job that is past its deadline is told so by ``report``, and its event is ``killed`` when it
    returns.
    """

    workers = 1
    threads = 1

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Job]] = deque()
        self._cancelled: set[int] = set()
        self._count = 0

    def warm(self, *modules: str) -> None:
        """Do nothing: there is no other process that could import meanwhile."""

    def submit(self, job: Job) -> int:
        """Queue a job and return its number."""
        self._count += 1
        self._waiting.append((self._count, replace(job, paths=job.paths and paths_allowed())))
        return self._count

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Yield the events of one job after another; the progress of a job comes when it has returned."""
        until = None if timeout is None else time.monotonic() + timeout
        while self._waiting and (until is None or time.monotonic() <= until):
            number, job = self._waiting.popleft()
            yield from self._run(number, job)

    def cancel(self, job: int) -> None:
        """Stop a job; its event is ``killed``."""
        self._cancelled.add(job)

    def close(self) -> None:
        """Forget the jobs that wait."""
        self._waiting.clear()

    def _run(self, number: int, job: Job) -> Iterator[Event]:
        told: list[Any] = []

        def stopped() -> str:
            if number in self._cancelled:
                return "the job was cancelled"
            late = job.deadline is not None and time.monotonic() >= job.deadline
            return "the job was not done at its deadline" if late else ""

        def report(value: Any) -> bool:
            told.append(to_json(value))
            return not stopped()

        last = Event(job=number, kind="killed")
        if not stopped():
            try:
                with paths_refused(refused=not job.paths):
                    result = resolve(job.function)(report, **job.arguments)
                last = Event(job=number, kind="finished", value=to_json(result))
            except Exception as error:  # noqa: BLE001
                # As in a worker process: any error of a job is news, and ends nothing but the job.
                last = Event(job=number, kind="failed", value=describe(error))
        if stopped():
            last = Event(job=number, kind="killed", value={"error": stopped(), "type": "killed"})
        for value in told:
            yield Event(job=number, kind="progress", value=value)
        yield last
