"""Whether a path in rows, or a folder that is named, may be opened: never where the wish came over a network."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_allowed: ContextVar[bool] = ContextVar("luban_paths", default=True)


def paths_allowed() -> bool:
    """Return whether a path among values in memory may lead to a file of this machine."""
    return _allowed.get()


@contextmanager
def paths_refused(*, refused: bool = True) -> Iterator[None]:
    """Let the enclosed work, and the jobs that it submits, take pictures and sounds only as content, never as paths.

    Parameters
    ----------
    refused : bool
        False changes nothing: what was refused stays refused.
    """
    token = _allowed.set(_allowed.get() and not refused)
    try:
        yield
    finally:
        _allowed.reset(token)
