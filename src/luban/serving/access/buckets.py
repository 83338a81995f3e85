"""Token buckets: how often somebody may ask.

A bucket holds a second's worth of requests (at least one), or as many as it is given, and is filled evenly; who finds
it empty is told when there is one again. Source: J. Turner, New directions in communications, IEEE Communications
Magazine 24(10), 1986 (the leaky bucket, of which this is the mirror image).
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST = 50_000
"""Buckets that are kept; the one not used for longest goes first."""

_UNTOLD = 100_000  # takes that are remembered at most until they are told


class Buckets:
    """One bucket for each key.

    Several processes may share them (`luban.serving.workers.rates`): each takes from its own, tells what it took and
    pays for what the others took, by which a bucket may come to hold less than nothing.

    Parameters
    ----------
    rate : float
        Requests a second, where a key has no rate of its own.
    burst : float, optional
        Requests that a full bucket holds; by default those of a second.
    """

    def __init__(
        self, rate: float, *, burst: float | None = None, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._most = most
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._told: deque[tuple[str, float]] | None = None
        self._unpaid: deque[Mapping[str, Sequence[float]]] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, key: str, rate: float | None = None) -> float:
        """Take one from a key's bucket and return 0, or return the seconds until there is one."""
        rate = rate or self._rate
        now, have = self._filled(key, rate)
        if have < 1.0:
            return (1.0 - have) / rate
        self._put(key, have - 1.0, now)
        if self._told is not None:
            self._told.append((key, rate))
        return 0.0

    def wait(self, key: str) -> float:
        """Return the seconds until there is one in a key's bucket, and take none."""
        _, have = self._filled(key, self._rate)
        return 0.0 if have >= 1.0 else (1.0 - have) / self._rate

    def share(self) -> None:
        """Remember from now on what is taken, until `taken` is asked for it."""
        self._told = deque(maxlen=_UNTOLD)

    def taken(self) -> dict[str, tuple[int, float]]:
        """Return (how many were taken, rate) by key, since it was asked last; from any thread."""
        found: dict[str, tuple[int, float]] = {}
        while self._told:
            key, rate = self._told.popleft()
            found[key] = (found.get(key, (0, rate))[0] + 1, rate)
        return found

    def pay(self, taken: Mapping[str, Sequence[float]]) -> None:
        """Take from buckets, by key, what others took: (how many, rate); from any thread."""
        self._unpaid.append(taken)  # whoever takes next pays: only one thread changes what is held

    def _paid(self) -> None:
        while self._unpaid:
            for key, (count, rate) in self._unpaid.popleft().items():
                now, have = self._level(key, rate)
                self._put(key, have - count, now)

    def _put(self, key: str, have: float, now: float) -> None:
        self._held[key] = (have, now)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def _filled(self, key: str, rate: float) -> tuple[float, float]:
        if self._unpaid:
            self._paid()
        return self._level(key, rate)

    def _level(self, key: str, rate: float) -> tuple[float, float]:
        now = self._clock()
        full = max(1.0, rate if self._burst is None else self._burst)
        have, last = self._held.get(key, (full, now))
        return now, min(full, have + (now - last) * rate)
