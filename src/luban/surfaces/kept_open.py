"""The workspace of tracked runs, which stays open from one run to the next: to open one takes longer than a run."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.store import Workspace


class _Open:
    """A workspace that is open, for how many."""

    def __init__(self, workspace: Workspace, key: tuple[Any, ...]) -> None:
        self.workspace = workspace
        self.key = key
        self.users = 0


_lock = threading.Lock()
_last: _Open | None = None


@contextmanager
def kept_open(location: Path | str | None) -> Iterator[Workspace]:
    """Give the workspace of a folder, or the nearest; the last one that was given stays open for the next."""
    found = _taken(location)
    try:
        yield found.workspace
    finally:
        with _lock:
            found.users -= 1
            left = found.users == 0 and found is not _last
        if left:
            found.workspace.close()


def _taken(location: Path | str | None) -> _Open:
    global _last  # noqa: PLW0603 - the one that is kept
    from luban.store import Workspace
    from luban.store.workspace import find

    root = find(location)
    with _lock:
        before = _last
        if before is None or before.key != _key(root):
            workspace = Workspace.open(root)
            _last = _Open(workspace, _key(root))
        else:
            before = None
        found = _last
        assert found is not None
        found.users += 1
        left = before is not None and before.users == 0
    if before is not None and left:
        before.workspace.close()
    return found


def _key(root: Path) -> tuple[Any, ...]:
    """Return what is another where another workspace is meant: a folder that was made anew is one too."""
    named = tuple(os.environ.get(name) for name in ("LUBAN_STORE", "LUBAN_BLOBS", "LUBAN_ACTOR"))
    return (str(root), *named, *(_file(root / name) for name in ("", "luban.db")))


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _close() -> None:
    """At the end of the interpreter: what waits is written, and the log of SQLite goes."""
    if _last is not None:
        _last.workspace.close()


def _forget() -> None:
    """Let a forked child open its own; the lock may have been held by a thread that it does not have."""
    global _last, _lock
    _last, _lock = None, threading.Lock()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
