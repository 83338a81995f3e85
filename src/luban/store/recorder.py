"""What is logged, on its way to the database: taken at once, written by a thread within a second.

Two things are told apart: what is *written* everybody sees, and no end of this process undoes it; what is *on the disk*
no loss of power undoes either. The first costs a fraction of a millisecond, the second waits for the disk.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from luban.core.errors import LubanError
from luban.store.entries import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.store.database import Database
    from luban.store.entries import Entry

INTERVAL = 0.5
"""Seconds between two writes."""

BATCH = 20_000
"""So many values are written without waiting for the interval."""

BEHIND = 100_000
"""Whoever makes so many wait writes them itself, so that never more than a second's worth is unwritten."""

FULL = 1_000_000
"""So many unwritten values are kept while the database is away; then `add` raises its error."""


class Recorder:
    """A buffer with a thread that empties it.

    What a writer that is killed had logged in its last second is lost; all else is written, and on the disk a second
    later at most. Nothing is lost by a database that is away for a while: the values wait, and `flush` says why.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begin()

    def add(self, values: Sequence[Entry]) -> None:
        """Take values, or other entries, to be written soon."""
        if self._state.pid != os.getpid():  # forked: the parent writes what it took
            self._begin()
        state = self._state
        with state.lock:
            if len(state.waiting) >= FULL and state.error is not None:
                raise state.error
            state.waiting.extend(values)
            if state.thread is None:
                state.thread = threading.Thread(target=_run, args=(state,), name="luban-metrics", daemon=True)
                state.thread.start()
            waiting = len(state.waiting)
            if waiting >= BATCH:
                state.due.set()
        if waiting >= BEHIND and state.error is None:
            with suppress(LubanError):  # kept in `state.error`; the values wait, and the next flush raises it
                _write_out(state)

    def flush(self) -> None:
        """Write what waits and return when it is on the disk; raise where it cannot be."""
        _write_out(self._state)

    def write(self) -> None:
        """Write what waits and return when everybody sees it; the thread sees to it that it is on the disk soon."""
        _write_out(self._state, soon=True)

    def close(self) -> None:
        """Write what waits and stop the thread."""
        state = self._state
        self._leaving.detach()
        if state.pid != os.getpid():
            return
        try:
            self.flush()
        finally:
            state.closing = True
            state.due.set()
            if state.thread is not None:
                state.thread.join()

    def _begin(self) -> None:
        self._state = _State(self._database)
        # At the end of the interpreter, for whoever never closes.
        self._leaving = weakref.finalize(self, _write_out, self._state)


class _State:
    """What the thread shares with the recorder; it holds no reference to the recorder itself."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.pid = os.getpid()
        self.waiting: list[Entry] = []
        self.error: LubanError | None = None
        self.lock = threading.Lock()  # guards `waiting`
        self.writing = threading.Lock()  # one batch at a time, so that values keep their order
        self.unsafe = False  # whether something was written that a loss of power would undo
        self.due = threading.Event()
        self.closing = False
        self.thread: threading.Thread | None = None


def _write_out(state: _State, *, soon: bool = False) -> None:
    if state.pid != os.getpid():
        return
    with state.writing:
        with state.lock:
            batch, state.waiting = state.waiting, []
        try:
            if batch:
                with state.database.writing(soon=soon) as connection:
                    write(connection, batch)
                batch, state.unsafe = [], soon
            elif state.unsafe and not soon:
                state.database.secure()
                state.unsafe = False
        except BaseException as error:
            with state.lock:
                state.waiting[:0] = batch
                state.error = error if isinstance(error, LubanError) else None
            raise
        state.error = None


def _run(state: _State) -> None:
    while not state.closing:
        state.due.wait(INTERVAL)
        state.due.clear()
        try:
            _write_out(state)
        except LubanError:
            # Kept in `state.error`; the values wait, and the next flush raises it to whoever asks.
            continue
