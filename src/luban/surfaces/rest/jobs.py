"""Long operations asked for over REST: they run in threads, and are asked after by number."""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import Conflict, LubanError, NotFound
from luban.core.progress import Progress, listening, stopping
from luban.core.serial import to_json
from luban.surfaces.rest import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = 200
_LOG = logging.getLogger(__name__)


@dataclass
class Work:
    """One long operation: where it stands (waiting, running, finished, failed), and what came of it."""

    id: str
    operation: str
    state: str = "waiting"
    progress: Progress | None = None
    result: Any = None
    error: Mapping[str, Any] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as the route shows it."""
        return {
            "job": self.id,
            "operation": self.operation,
            "state": self.state,
            "progress": to_json(self.progress),
            "result": self.result,
            "error": self.error,
        }


class Jobs:
    """The long operations of one server; the last ones are remembered."""

    def __init__(self, at_once: int = 2) -> None:
        self._pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="luban-job")
        self._works: dict[str, Work] = {}

    def start(self, operation: str, call: Callable[[], Any]) -> Work:
        """Run `call` in a thread and return its work."""
        work = Work(id=uuid.uuid4().hex[:16], operation=operation)
        self._works[work.id] = work
        for old in [one.id for one in self._works.values() if one.ended.is_set()][:-KEPT]:
            del self._works[old]
        # What who asks may do holds in the work's thread too; what the work tells and hears is set within.
        self._pool.submit(copy_context().run, self._run, work, call)
        return work

    def get(self, name: str) -> Work:
        """Return a work by its number."""
        if name not in self._works:
            raise NotFound("there is no such job", seen=name[:50])
        return self._works[name]

    def stop(self, name: str) -> Work:
        """Ask a work to end with the best it has, and return it."""
        work = self.get(name)
        work.stop.set()
        return work

    def close(self) -> None:
        """Start nothing more, and wait for what runs to end with what it has."""
        for work in self._works.values():
            work.stop.set()
        self._pool.shutdown(cancel_futures=True)

    @staticmethod
    def _run(work: Work, call: Callable[[], Any]) -> None:
        def listen(news: Progress) -> None:
            work.progress = news

        try:
            if work.stop.is_set():
                work.error, work.state = Conflict("the job was stopped before it began").to_dict(), "failed"
                return
            work.state = "running"
            with listening(listen), stopping(work.stop.is_set):
                work.result = to_json(call())
            work.state = "finished"
        except LubanError as error:
            work.error, work.state = words.shown(error), "failed"
        except Exception as error:  # noqa: BLE001 - it is told by the job, and whole in the log
            _LOG.exception("the job %s (%s) met a fault of Luban", work.id, work.operation)
            work.error, work.state = {"code": "defect", "happened": type(error).__name__}, "failed"
        finally:
            work.ended.set()
