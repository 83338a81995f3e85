"""The shadow: a version that sees what the others are asked, after they have answered.

Rows are gathered for a moment and computed together by one thread of low priority, so that answers are delayed by
little more than nothing; where it cannot keep up rows are dropped, and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from luban.serving.answers import Answer
from luban.serving.priority import yield_to_others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luban.serving.arms import Arm
    from luban.serving.observation import Observation

_LOG = logging.getLogger(__name__)

INTERVAL = 0.1
"""Seconds for which rows are gathered."""

ROWS = 4096
"""Rows that wait at most."""

TOGETHER = 256
"""Rows that are computed at once at most."""


class Shadow:
    """Computes what shadows would have answered.

    Parameters
    ----------
    keep : callable
        Takes the observations of shadows, for the prediction log.
    """

    def __init__(self, keep: Callable[[Sequence[Observation]], None]) -> None:
        self._keep = keep
        self._lock = threading.Lock()  # guards the counts
        self._waiting: deque[tuple[Arm, Observation]] = deque()
        self._rows = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, arm: Arm, one: Observation) -> None:
        """Take what another arm answered; never waits."""
        with self._lock:
            if self._rows + one.length > ROWS:
                self._counts[_name(arm), "dropped"] += one.length
                return
            self._rows += one.length
        self._waiting.append((arm, one))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="luban-shadow", daemon=True)
            self._thread.start()

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many rows were ``answered``, ``failed`` and ``dropped``, by (deployment, outcome)."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Stop; rows that wait are dropped."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        yield_to_others()
        while not self._closing.wait(INTERVAL):
            for part in _together([self._waiting.popleft() for _ in range(len(self._waiting))]):
                if self._closing.is_set():
                    return
                self._compute(part)

    def _compute(self, part: list[tuple[Arm, Observation]]) -> None:
        arm, seen = part[0][0], [one for _, one in part]
        count = sum(one.length for one in seen)
        outcome = "answered"
        try:
            kept = _answered(arm, seen)
        except Exception:  # noqa: BLE001 - a shadow's model may fail in any way; nobody waits for its answer
            if len(part) > 1:  # one bad row must not take the others with it
                for single in part:
                    self._compute([single])
                return
            if not self._counts[_name(arm), "failed"]:  # the first tells why; the rest are counted
                _LOG.exception("the shadow %s of %s cannot answer", arm.model, _name(arm))
            kept, outcome = [], "failed"
        with self._lock:
            self._rows -= count
            self._counts[_name(arm), outcome] += count
        self._keep(kept)


def _name(arm: Arm) -> str:
    return arm.deployment.name if arm.deployment is not None else ""


def _together(waiting: list[tuple[Arm, Observation]]) -> list[list[tuple[Arm, Observation]]]:
    """Return what can be computed at once: of one arm, rows as mappings or one table."""
    parts: list[list[tuple[Arm, Observation]]] = []
    rows = 0
    for arm, one in waiting:
        table = isinstance(one.rows, pa.Table)
        follows = parts and parts[-1][0][0] is arm and not isinstance(parts[-1][0][1].rows, pa.Table)
        if table or not follows or rows + one.length > TOGETHER:
            parts.append([])
            rows = 0
        parts[-1].append((arm, one))
        rows += one.length
    return parts


def _answered(arm: Arm, seen: Sequence[Observation]) -> list[Observation]:
    started = time.perf_counter()
    answer = arm.runtime.answer(_rows(seen), missing="fill")
    seconds = (time.perf_counter() - started) / max(1, answer.rows)
    found, start = [], 0
    for one in seen:
        mine = {name: values[start : start + one.length] for name, values in answer.outputs.items()}
        decided = None if answer.decided is None else answer.decided[start : start + one.length]
        theirs = Answer(outputs=mine, decided=decided)
        found.append(one._replace(arm=arm, answer=theirs, seconds=seconds * one.length))
        start += one.length
    return found


def _rows(seen: Sequence[Observation]) -> pa.Table | list[Mapping[str, object]]:
    if isinstance(seen[0].rows, pa.Table):
        return seen[0].rows
    rows: list[Mapping[str, object]] = []
    for one in seen:
        rows.extend([one.rows] if isinstance(one.rows, Mapping) else one.rows)
    names = dict.fromkeys(name for row in rows for name in row)  # a column that only some rows have
    return [{name: row.get(name) for name in names} for row in rows]
