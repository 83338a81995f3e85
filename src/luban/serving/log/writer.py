"""The writer of the prediction log: a bounded buffer and a thread that empties it.

The thread makes tables of what was observed often, a little at a time, so that requests are not held up by it for long,
and stores them now and then.

A row counts as stored when its chunk's row is committed to the database, at most about a second after its answer;
the counter ``stored`` says how many are. Stored rows survive whatever happens to the process. While the database or
the disk does not take them, rows wait in memory up to a bound; beyond it new ones are dropped, and counted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from luban.core.errors import InputError, LubanError
from luban.serving.log.table import log_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.serving.arms import Arm
    from luban.serving.observation import Observation

INTERVAL = 0.5
"""Seconds between two writes."""

_TURNS = 10  # of making tables, between two writes

BOUND = 64 * 1024 * 1024
"""Bytes that wait at most."""

CHUNK = 50_000
"""Rows that are written at once at most."""

_PATIENCE = 5.0  # seconds that closing waits for a database that does not answer


class _Waiting(NamedTuple):
    """Rows to be stored, the pictures and sounds to keep with them by digest, and the bytes that both stand for."""

    table: pa.Table
    contents: Mapping[str, bytes]
    size: int


class LogWriter:
    """Takes what was observed and stores it.

    Parameters
    ----------
    append : callable
        Stores a table and the pictures and sounds of its rows, by digest, for good, or raises `LubanError`:
        `luban.store.predictions.Predictions.append`.
    tell : callable, optional
        Called with an event's name and details where writing fails and where it works again.
    bound : int
        Bytes that wait at most.
    """

    def __init__(
        self,
        append: Callable[[pa.Table, Mapping[str, bytes]], None],
        *,
        tell: Callable[..., None] | None = None,
        bound: int = BOUND,
    ) -> None:
        self._append = append
        self._tell = tell or (lambda _event, **_details: None)
        self._bound = bound
        self._lock = threading.Lock()  # guards what follows
        self._taken: list[Observation] = []
        self._bytes = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._made: list[tuple[Arm, _Waiting]] = []  # of the thread alone, as what follows
        self._tables: list[_Waiting] = []
        self._failing = False
        self._due = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="luban-prediction-log", daemon=True)
        self._thread.start()

    def put(self, seen: Sequence[Observation]) -> None:
        """Take observations to be stored soon; never waits."""
        sizes = [one.size() for one in seen]
        with self._lock:
            for one, size in zip(seen, sizes, strict=True):
                name = one.arm.deployment.name if one.arm.deployment else ""
                if self._bytes + size > self._bound:
                    self._counts[name, "dropped"] += one.length
                    continue
                self._bytes += size
                self._taken.append(one)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many rows were ``stored`` and ``dropped``, by (deployment, outcome)."""
        with self._lock:
            return dict(self._counts)

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return self._bytes

    def close(self) -> None:
        """Write what waits and stop; what cannot be written within some seconds is dropped, and counted."""
        self._closing = True
        self._due.set()
        self._thread.join(timeout=_PATIENCE + 10)

    def _run(self) -> None:
        turn = 0
        while not self._closing:
            self._due.wait(INTERVAL / _TURNS)
            self._make()
            turn = (turn + 1) % _TURNS
            if not turn:
                self._write()
        self._make()
        deadline = time.monotonic() + _PATIENCE
        while not self._write() and time.monotonic() < deadline:
            time.sleep(0.1)
        for one in self._tables:
            self._count(one.table, "dropped")

    def _make(self) -> None:
        """Make tables of what was taken; where that fails of parts of it, down to the request that cannot be read."""
        with self._lock:
            taken, self._taken = self._taken, []
        left = _alike(taken)[::-1]
        unreadable: dict[str, tuple[str, int]] = {}
        while left:
            part = left.pop()
            # As long as the table waits it stands for the bytes of what it was made from.
            size = sum(one.size() for one in part)
            arm = part[0].arm
            contents: dict[str, bytes] = {}
            keeps = arm.deployment is not None and arm.deployment.media
            try:
                table = log_table(part, contents if keeps else None)
                self._made.append((arm, _Waiting(table, contents, size)))
            # A row that was answered cannot be read again, or a defect: told, and not tried for ever, nor the end of
            # the log of all other models.
            except Exception as error:  # noqa: BLE001
                if isinstance(error, InputError) and len(part) > 1:  # what one client sent costs no other its rows
                    half = len(part) // 2
                    left += [part[half:], part[:half]]
                    continue
                self._release(size)
                rows = sum(one.length for one in part)
                name = arm.deployment.name if arm.deployment else ""
                with self._lock:
                    self._counts[name, "dropped"] += rows
                first, before = unreadable.get(name, (str(error) or type(error).__name__, 0))
                unreadable[name] = (first, before + rows)
        for name, (first, rows) in unreadable.items():
            self._tell("log-rows-unreadable", name=name, rows=rows, error=first)

    def _write(self) -> bool:
        """Store the tables; return whether nothing is left."""
        made, self._made = self._made, []
        self._tables += _joined(made)  # a table that was tried once stays as it is: tried again it is stored once
        while self._tables:
            first = self._tables[0]
            try:
                self._append(first.table, first.contents)
            except LubanError as error:
                if not self._failing:
                    self._failing = True
                    self._tell("log-waits", error=str(error))
                return False
            self._tables.pop(0)
            self._release(first.size)
            self._count(first.table, "stored")
        if self._failing:
            self._failing = False
            self._tell("log-works")
        return True

    def _release(self, size: int) -> None:
        with self._lock:
            self._bytes -= size

    def _count(self, table: pa.Table, outcome: str) -> None:
        name = str(table["deployment"][0].as_py())
        with self._lock:
            self._counts[name, outcome] += table.num_rows


def _joined(made: Sequence[tuple[Arm, _Waiting]]) -> list[_Waiting]:
    """Return tables of the same arm as one, in parts of bounded size."""
    found: list[list[_Waiting]] = []
    last: dict[Any, list[_Waiting]] = {}
    for arm, one in made:
        key = (id(arm), one.table.schema)
        part = last.get(key)
        if part is None or sum(each.table.num_rows for each in part) >= CHUNK:
            part = last[key] = []
            found.append(part)
        part.append(one)
    return [
        _Waiting(
            pa.concat_tables([one.table for one in part]).combine_chunks(),
            {digest: content for one in part for digest, content in one.contents.items()},
            sum(one.size for one in part),
        )
        for part in found
    ]


def _alike(seen: Sequence[Observation]) -> list[list[Observation]]:
    """Return observations by the arm that answered, in parts of bounded size."""
    parts: dict[Any, list[Observation]] = {}
    rows: Counter[Any] = Counter()
    found: list[list[Observation]] = []
    for one in seen:
        key = id(one.arm)
        if rows[key] >= CHUNK:
            found.append(parts.pop(key))
            rows[key] = 0
        parts.setdefault(key, []).append(one)
        rows[key] += one.length
    return [*found, *parts.values()]
