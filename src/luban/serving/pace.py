"""How long calls of a model take by their rows, and how quickly requests come: what decides whether waiting pays."""

from __future__ import annotations

import math

_MEMORY = 0.95  # of each sum after another call; about the last twenty count
_GAPS = 0.8
_PAUSE = 2.0  # usual gaps without a request, after which none is waited for: who is to ask next may wait for an answer


class Pace:
    """Measures one model while it answers.

    A call of n rows is taken to last ``fixed + n * each`` seconds (least squares, recent calls count most). As long as
    all calls had as many rows, all of their time counts as fixed: the first calls with more rows will tell.
    """

    def __init__(self) -> None:
        self._n = self._rows = self._seconds = self._squares = self._products = 0.0
        self._gap = math.inf
        self._last = -math.inf

    def came(self, now: float) -> None:
        """Note that a request came."""
        gap = now - self._last
        self._last = now
        self._gap = gap if math.isinf(self._gap) else _GAPS * self._gap + (1 - _GAPS) * gap

    def took(self, rows: int, seconds: float) -> None:
        """Note how long a call took."""
        self._n = _MEMORY * self._n + 1
        self._rows = _MEMORY * self._rows + rows
        self._seconds = _MEMORY * self._seconds + seconds
        self._squares = _MEMORY * self._squares + rows * rows
        self._products = _MEMORY * self._products + rows * seconds

    @property
    def each(self) -> float:
        """Seconds that one more row takes."""
        if not self._n:
            return 0.0
        spread = self._squares - self._rows * self._rows / self._n
        if spread <= 1e-9 * self._squares:
            return 0.0
        return max(0.0, (self._products - self._rows * self._seconds / self._n) / spread)

    @property
    def fixed(self) -> float:
        """Seconds that a call takes whatever it has; the gain of computing two requests together."""
        return max(0.0, (self._seconds - self.each * self._rows) / self._n) if self._n else 0.0

    def wait(self, most: float) -> float:
        """Return for how long the next call should wait for more: never longer than what it can save by it."""
        worth = min(most, self.fixed)
        return worth if self._gap < worth else 0.0

    @property
    def quiet(self) -> float:
        """The moment by which another request would have come, were they still coming as they did."""
        return self._last + _PAUSE * self._gap

    def expected(self, rows: int) -> float:
        """Return how many seconds a call of so many rows should take."""
        return self.fixed + rows * self.each

    def mean(self) -> float:
        """Return how many seconds a row has taken, with its share of the calls."""
        return self._seconds / self._rows if self._rows else 0.0
