"""Long operations asked for over REST: they run in threads, and are asked after by number."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError, NotFound
from luban.core.progress import Progress, listening
from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = 200


@dataclass
class Work:
    """One long operation: where it stands, and what came of it."""

    id: str
    operation: str
    state: str = "running"
    progress: Progress | None = None
    result: Any = None
    error: dict[str, Any] | None = None
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
        self._pool.submit(self._run, work, call)
        return work

    def get(self, name: str) -> Work:
        """Return a work by its number."""
        if name not in self._works:
            raise NotFound("there is no such job", seen=name[:50])
        return self._works[name]

    def close(self) -> None:
        """Start nothing more, and wait for what runs."""
        self._pool.shutdown(cancel_futures=True)

    @staticmethod
    def _run(work: Work, call: Callable[[], Any]) -> None:
        def listen(news: Progress) -> None:
            work.progress = news

        try:
            with listening(listen):
                work.result = to_json(call())
            work.state = "finished"
        except LubanError as error:
            work.state, work.error = "failed", dict(error.to_dict())
        except Exception as error:
            work.state, work.error = "failed", {"code": "defect", "happened": type(error).__name__}
            raise
        finally:
            work.ended.set()
