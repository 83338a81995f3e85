"""The gate of latency: one row must not take much longer than before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from luban.core.report import Finding
from luban.data.media.carried import sent
from luban.review.gates.limit import number

if TYPE_CHECKING:
    from luban.core.contest import Contest, Contestant, Limit

QUICK = 0.001
"""Seconds: what takes less is quick enough, whatever the champion takes."""

_ROWS, _WARM = 60, 5


class LatencyGate:
    """The median time of one row, the two in turns so that a busy machine slows both.

    The limit is how many times as long as the champion the challenger may take.
    """

    name = "latency"
    limit: Limit = 2.0

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return how many times as long a row takes."""
        most = number(self.name, limit)
        count = min(_ROWS, contest.fresh.table.num_rows)
        rows = sent(contest.fresh.table.slice(0, count))
        times: dict[str, list[float]] = {"champion": [], "challenger": []}
        for place, row in enumerate([*rows[:_WARM], *rows]):
            for side, taken in times.items():
                seconds = _seconds(getattr(contest, side), row)
                if place >= _WARM:
                    taken.append(seconds)
        before, after = (float(np.median(times[side])) for side in ("champion", "challenger"))
        ratio = after / max(before, 1e-9)
        passed = after <= QUICK or ratio <= most
        return Finding(
            what=f"One row takes {after * 1000:.2f} ms, and took {before * 1000:.2f} ms",
            verdict="pass" if passed else "block",
            value=ratio,
            threshold=most,
            remedy="" if passed else "Make it smaller (luban compress), or allow more: --gate latency=3.",
        )


def _seconds(contestant: Contestant, row: dict[str, object]) -> float:
    began = time.perf_counter()
    contestant.answer(row)
    return time.perf_counter() - began
