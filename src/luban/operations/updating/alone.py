"""One updater at a time: the lease is kept while the work goes on, and lost work ends."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.core.errors import Conflict, LubanError
from luban.core.progress import stop_of_context, stopping

if TYPE_CHECKING:
    from luban.core.update import Lease
    from luban.operations.updating.subject import Subject
    from luban.store import Workspace

SECONDS = 30.0
"""How long the lease lasts without a sign of life."""


def holder() -> str:
    """Return who works here, in words."""
    return f"process {os.getpid()} on {socket.gethostname()}"


@contextmanager
def kept(workspace: Workspace, lease: Lease, seconds: float = SECONDS) -> Iterator[None]:
    """Renew a lease from a thread while the context is open, and let go of it at the end.

    Where it is lost the enclosed work is asked to stop; what it does nevertheless is refused by the lease's token.
    """
    over, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(seconds / 3):
            try:
                workspace.leases.renew(lease, seconds)
            except Conflict:
                lost.set()
                return
            except LubanError:  # the database is away for a while: the next attempt may come in time
                continue

    thread = threading.Thread(target=renew, name="luban-lease", daemon=True)
    thread.start()
    outer = stop_of_context()
    try:
        with stopping(lambda: lost.is_set() or (outer is not None and outer())):
            yield
    finally:
        over.set()
        thread.join()
        workspace.leases.release(lease)


def end_interrupted(workspace: Workspace, subject: Subject, operation: str) -> list[str]:
    """Mark the updates of a subject that a dead process left as running, and their parts; return their identifiers.

    Whoever holds the lease is the only one who may be running.
    """
    ended = []
    for run in workspace.runs.list(operation=operation, state="running", limit=1000):
        if run.request.get("name") != subject.name:
            continue
        error = {"code": "interrupted", "happened": "the process that worked on it ended before it had finished"}
        for child in workspace.runs.list(parent=run.id, state="running", limit=1000):
            workspace.runs.finish(child.id, "interrupted", error=error)
        workspace.runs.finish(run.id, "interrupted", error=error)
        ended.append(run.id)
    return ended
