"""What became of the requests of a server, told to the store every few seconds.

Rules on failures and on rows that the log lost can be held against them from anywhere, also when nothing at all is
answered any more and so nothing new is in the log.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.serving.observation import Observation

INTERVAL = 2.0
"""Seconds between two records."""


class OutcomeCounts:
    """Counts requests, and what was not told yet of them and of the log.

    Parameters
    ----------
    add : callable
        Adds counts by outcome to those of a deployment, or raises `LubanError`: `luban.store.outcomes.Outcomes.add`.
    log : callable
        Returns how many rows the log stored, dropped and left out since the server began, by (deployment, outcome).
    """

    def __init__(
        self, add: Callable[[str, Mapping[str, int]], None], log: Callable[[], Mapping[tuple[str, str], int]]
    ) -> None:
        self._add = add
        self._log = log
        self._lock = threading.Lock()  # guards what is counted
        self._requests: Counter[tuple[str, str]] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()  # of the thread that records alone
        self._next = 0.0

    def note(self, name: str, seen: Sequence[Observation]) -> None:
        """Count requests of a deployment; of one that several versions answered each part."""
        failed = sum(one.error is not None for one in seen)
        with self._lock:
            self._requests[name, "failed"] += failed
            self._requests[name, "answered"] += len(seen) - failed

    def look(self) -> None:
        """Record where it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + INTERVAL
            self.record()

    def record(self) -> None:
        """Tell the store what is new; what it does not take is told with what comes next."""
        with self._lock:
            totals = self._requests.copy()
        totals.update(self._log())
        new: dict[str, dict[str, int]] = {}
        for (name, outcome), count in totals.items():
            if name and count > self._told[name, outcome]:
                new.setdefault(name, {})[outcome] = count - self._told[name, outcome]
        for name, counts in new.items():
            self._add(name, counts)
            self._told.update({(name, outcome): count for outcome, count in counts.items()})
