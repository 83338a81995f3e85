"""The thread that starts worker processes, hands them jobs, hears from them and kills the late ones.

All of a worker's life is in this one thread, so nothing needs a lock: orders come in by a queue and a
pipe that wakes the thread, news go out by a queue. That one thread starts every worker matters for another
reason too: Linux sends the signal "your parent died" when the *thread* that started a process ends.
"""

from __future__ import annotations

import os
import queue
import selectors
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from luban.core.protocols import DIED, Event, Job
from luban.execution.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

# How long a cancelled job has to stop by itself before its process is killed.
GRACE = 1.0


class Loop:
    """Worker processes and the jobs that wait for them.

    Parameters
    ----------
    news : queue.SimpleQueue
        Where events go, or the exception that ended the loop.
    """

    def __init__(self, *, workers: int, threads: int, news: queue.SimpleQueue[Event | BaseException]) -> None:
        self._size = workers
        self._threads = threads
        self._news = news
        self._orders: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        self._workers: list[WorkerProcess] = []
        self._waiting: deque[tuple[int, Job]] = deque()
        self._cancelled: set[int] = set()
        self._modules: tuple[str, ...] = ()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name="luban-workers", daemon=True)
        self._thread.start()

    def order(self, what: str, detail: Any) -> None:
        """Tell the loop what to do: ``submit``, ``cancel``, ``warm`` or ``stop``."""
        self._orders.put((what, detail))
        if self._thread.is_alive():
            os.write(self._wake_write, b".")

    def stop(self) -> None:
        """Kill all workers and end the thread."""
        if self._thread.is_alive():
            self.order("stop", None)
            self._thread.join()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _run(self) -> None:
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._take_orders)
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001
            # Whoever waits for events must hear of it; silence would be a hang.
            self._news.put(error)
        finally:
            for worker in self._workers:
                worker.kill("closed")
                worker.bury()
            self._selector.close()

    def _turn(self) -> bool:
        """Do what there is to do and wait for more; return False when told to stop."""
        self._kill_the_late()
        self._dispatch()
        deadlines = [worker.deadline for worker in self._workers if worker.deadline is not None]
        deadlines += [job.deadline for _, job in self._waiting if job.deadline is not None]
        wait = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        for key, mask in self._selector.select(wait):
            if self._selector.get_map().get(key.fd) != key:
                continue  # an earlier reaction of this round buried that worker, and its descriptor is another's now
            react: Callable[[int], bool] = key.data
            if not react(mask):
                return False
        return True

    def _take_orders(self, _mask: int) -> bool:
        os.read(self._wake_read, 1 << 10)
        while True:
            try:
                what, detail = self._orders.get_nowait()
            except queue.Empty:
                return True
            if what == "stop":
                return False
            if what == "submit":
                self._waiting.append(detail)
            elif what == "cancel":
                self._cancel(detail)
            else:
                self._warm(detail)

    def _warm(self, modules: tuple[str, ...]) -> None:
        self._modules += modules
        for worker in self._workers:
            worker.send({"do": "import", "modules": modules})
            self._watch(worker)
        while len(self._workers) < self._size:
            self._start()

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._threads)
        self._workers.append(worker)
        self._selector.register(worker.stdout, selectors.EVENT_READ, lambda _mask: self._hear(worker))
        self._selector.register(worker.stderr, selectors.EVENT_READ, lambda _mask: self._hear_errors(worker))
        if self._modules:
            worker.send({"do": "import", "modules": self._modules})
            self._watch(worker)
        return worker

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for room in the pipe of a worker as long as orders wait for it."""
        watched = worker.stdin in self._selector.get_map()
        if worker.has_unsent and not watched:
            self._selector.register(worker.stdin, selectors.EVENT_WRITE, lambda _mask: self._push(worker))
        elif watched and not worker.has_unsent:
            self._selector.unregister(worker.stdin)

    def _push(self, worker: WorkerProcess) -> bool:
        worker.flush()
        self._watch(worker)
        return True

    def _dispatch(self) -> None:
        while self._waiting:
            idle = next((worker for worker in self._workers if worker.job is None), None)
            if idle is None and len(self._workers) < self._size:
                idle = self._start()
            if idle is None:
                return
            number, job = self._waiting.popleft()
            idle.job, idle.deadline = number, job.deadline
            idle.send(
                {
                    "do": "job",
                    "job": number,
                    "function": job.function,
                    "arguments": dict(job.arguments),
                    "paths": job.paths,
                }
            )
            self._watch(idle)

    def _hear(self, worker: WorkerProcess) -> bool:
        messages = worker.receive()
        if messages is None:
            self._replace(worker)
            return True
        for message in messages:
            number, kind, value = message["job"], message["kind"], message["value"]
            if kind != "progress":
                worker.job = worker.deadline = None
                if number in self._cancelled:
                    self._tell_killed(number, "cancelled")
                    continue
            self._news.put(Event(job=number, kind=kind, value=value))
        return True

    def _hear_errors(self, worker: WorkerProcess) -> bool:
        if not worker.receive_errors():
            self._selector.unregister(worker.stderr)
        return True

    def _replace(self, worker: WorkerProcess) -> None:
        """Take a dead worker out, tell what became of its job, and start another that knows the same modules."""
        watched = self._selector.get_map()
        for pipe in (worker.stdout, worker.stderr, worker.stdin):
            if pipe in watched:
                self._selector.unregister(pipe)
        self._workers.remove(worker)
        ending = worker.bury()
        if worker.job is None:
            # It died while it imported. Another is started when there is a job, without the imports: no endless deaths.
            self._modules = ()
        elif worker.reason:
            self._tell_killed(worker.job, worker.reason)
            self._start()
        else:
            self._news.put(Event(job=worker.job, kind="failed", value={"error": ending, "type": DIED}))
            self._start()

    def _cancel(self, number: int) -> None:
        for entry in self._waiting:
            if entry[0] == number:
                self._waiting.remove(entry)
                self._tell_killed(number, "cancelled")
                return
        for worker in self._workers:
            if worker.job == number:
                self._cancelled.add(number)
                worker.send({"do": "stop", "job": number})
                self._watch(worker)
                worker.deadline = min(worker.deadline or float("inf"), time.monotonic() + GRACE)

    def _kill_the_late(self) -> None:
        now = time.monotonic()
        for entry in [entry for entry in self._waiting if entry[1].deadline is not None and entry[1].deadline <= now]:
            self._waiting.remove(entry)
            self._tell_killed(entry[0], "deadline")
        for worker in self._workers:
            if worker.deadline is not None and worker.deadline <= now:
                worker.deadline = None
                worker.kill("cancelled" if worker.job in self._cancelled else "deadline")

    def _tell_killed(self, number: int, reason: str) -> None:
        words = {"deadline": "the job was not done at its deadline", "cancelled": "the job was cancelled"}
        self._news.put(Event(job=number, kind="killed", value={"error": words[reason], "type": reason}))
