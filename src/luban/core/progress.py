"""How long work tells whoever listens where it stands, and hears from them that it should end."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One message of a running operation.

    Parameters
    ----------
    stage : str
        What is being done, in a word or two.
    message : str
        The news, in one line.
    done : float, optional
        Share of the whole that is done, 0 to 1.
    remaining : float, optional
        Seconds left.
    result : object, optional
        What the operation would return if it ended now: a face may show it.
    """

    stage: str
    message: str = ""
    done: float | None = None
    remaining: float | None = None
    result: Any = None


_listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("luban_progress", default=None)


def tell(progress: Progress) -> None:
    """Hand a message to the listener of this context, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(progress)


@contextmanager
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send the messages of the enclosed work to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def also(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send the messages of the enclosed work to `listener` too, before whoever listens already."""
    others = _listener.get()

    def both(progress: Progress) -> None:
        listener(progress)
        if others is not None:
            others(progress)

    with listening(both):
        yield


_stop: ContextVar[Callable[[], bool] | None] = ContextVar("luban_stop", default=None)


def asked_to_stop() -> bool:
    """Return whether the work of this context should end with the best it has."""
    stop = _stop.get()
    return stop is not None and stop()


def stop_of_context() -> Callable[[], bool] | None:
    """Return what says in this context whether work should end, to be asked within another `stopping`."""
    return _stop.get()


@contextmanager
def stopping(stop: Callable[[], bool]) -> Iterator[None]:
    """Let the enclosed work ask `stop` whether it should end."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)
