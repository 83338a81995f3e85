"""One process at a time works on a fit."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.core.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.core.run import Run
    from luban.store import Workspace


@contextmanager
def alone(workspace: Workspace, run: Run) -> Iterator[None]:
    """Hold a run's scratch folder; the operating system lets go of it when the process ends, however it ends.

    Raises
    ------
    Conflict
        If another process holds it: the fit that is to be resumed is still running.
    """
    import fcntl

    with (workspace.scratch(run.id) / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"run {run.id} is still running", seen="another process works on it", remedy="Wait, or stop that one."
            ) from None
        yield
