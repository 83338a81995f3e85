"""Token buckets: how often somebody may ask.

A bucket holds a second's worth of requests (at least one), or as many as it is given, and is filled evenly; who finds
it empty is told when there is one again. Source: J. Turner, New directions in communications, IEEE Communications
Magazine 24(10), 1986 (the leaky bucket, of which this is the mirror image).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 50_000
"""Buckets that are kept; the one not used for longest goes first."""


class Buckets:
    """One bucket for each key.

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

    def __len__(self) -> int:
        return len(self._held)

    def take(self, key: str, rate: float | None = None) -> float:
        """Take one from a key's bucket and return 0, or return the seconds until there is one."""
        rate = rate or self._rate
        now, have = self._filled(key, rate)
        if have < 1.0:
            return (1.0 - have) / rate
        self._held[key] = (have - 1.0, now)
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return 0.0

    def wait(self, key: str) -> float:
        """Return the seconds until there is one in a key's bucket, and take none."""
        _, have = self._filled(key, self._rate)
        return 0.0 if have >= 1.0 else (1.0 - have) / self._rate

    def _filled(self, key: str, rate: float) -> tuple[float, float]:
        now = self._clock()
        full = max(1.0, rate if self._burst is None else self._burst)
        have, last = self._held.get(key, (full, now))
        return now, min(full, have + (now - last) * rate)
