"""Whether a path in rows may be opened: never where the rows came over a network."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_allowed: ContextVar[bool] = ContextVar("luban_media_paths", default=True)


def paths_allowed() -> bool:
    """Return whether a path among values in memory may lead to a file of this machine."""
    return _allowed.get()


@contextmanager
def paths_refused() -> Iterator[None]:
    """Let the enclosed work take pictures and sounds only as content: a data URI, base64 or bytes."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)
