"""What one process sees of the arms of a deployment, counted by kind of event; see `luban.serving.rollout`."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from luban.serving.arms import CANARY, CHAMPION
from luban.serving.rollout import NOTICEABLE, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.serving.observation import Observation
    from luban.serving.rollout import Counts

_RECENT = 201  # answers of the champion that its median is taken from
_KNOWN = 50  # answers of the champion before anything is called slow


class Counting:
    """Tells failures and slow answers from others, as long as a deployment's traffic stays as it is.

    What is slow is measured by the champion's answers of this process: like is compared with like.
    """

    def __init__(self) -> None:
        self._recent: dict[int, deque[float]] = {}

    def note(self, seen: Sequence[Observation]) -> Counts:
        """Return the counts of what was observed since the last look."""
        counts: Counts = {"failed": {}, "slow": {}}
        late = {size: _late(recent) for size, recent in self._recent.items()}
        for one in seen:
            if one.arm.name not in (CHAMPION, CANARY):
                continue
            failed = counts["failed"].setdefault(one.arm.model, Tally())
            failed.requests += 1
            failed.events += one.error is not None
            if one.error is not None:
                continue
            size = one.length.bit_length()  # requests of many rows take longer; like is compared with like
            limit = late.get(size, math.inf)
            if limit < math.inf:
                slow = counts["slow"].setdefault(one.arm.model, Tally())
                slow.requests += 1
                slow.events += one.computed > limit
            if one.arm.name == CHAMPION:
                self._recent.setdefault(size, deque(maxlen=_RECENT)).append(one.computed)
        return counts


def _late(recent: deque[float]) -> float:
    if len(recent) < _KNOWN:
        return math.inf
    middle = median(recent)
    return max(2 * middle, middle + NOTICEABLE)
