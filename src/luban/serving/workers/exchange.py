"""What workers share through their parent: the trials of canaries, and what was taken from the buckets of rates.

Workers tell what they have counted since they told last, on their standard output; the parent adds it up, and says on
their standard input what all must know. Nobody waits for anybody: a worker that does not read finds the sum of what
it has missed. What a worker told outlives it, and its successor is told what is missing from the buckets.
"""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from luban.core.serial import from_json, to_json
from luban.serving.access.buckets import MOST
from luban.serving.trials import Seen, Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Taken = dict[str, dict[str, tuple[float, float]]]
"""By kind of bucket and by key: (how many were taken, the rate a second at which the bucket is filled)."""

TOPICS = frozenset({"seen", "taken"})


class Link:
    """The pipes between the parent and one worker.

    Parameters
    ----------
    pipe : int
        File descriptor of the worker's standard input; writing to it never waits from now on.
    """

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self.told: deque[dict[str, Any]] = deque()
        self._pipe = pipe
        self._rest = b""  # of a line that the pipe has taken a part of
        self._verdicts: list[Any] = []
        self._owed: Taken = {}

    def decide(self, verdict: Any) -> None:
        """Let the worker know of a verdict."""
        if verdict not in self._verdicts:
            self._verdicts.append(verdict)

    def owe(self, taken: Taken) -> None:
        """Let the worker know what others have taken."""
        for kind, keys in taken.items():
            mine = self._owed.setdefault(kind, {})
            for key, (count, rate) in keys.items():
                mine[key] = (mine.get(key, (0.0, rate))[0] + count, rate)

    def send(self) -> None:
        """Write what the worker must know, as far as the pipe takes it."""
        if not self._rest:
            lines = [{"verdict": one} for one in self._verdicts] + ([{"taken": self._owed}] if self._owed else [])
            self._rest = b"".join(json.dumps(one).encode() + b"\n" for one in lines)
            self._verdicts, self._owed = [], {}
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._pipe, self._rest) :]
        except BlockingIOError:  # it does not read just now: the next turn goes on
            return
        except BrokenPipeError:  # it is dead; its successor has a link of its own
            self._rest = b""


class Missing:
    """What is missing from buckets that all workers take from.

    Parameters
    ----------
    most : int
        Buckets that are known at most; the one not taken from for longest goes first.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._held: OrderedDict[tuple[str, str], tuple[float, float, float]] = OrderedDict()

    def add(self, taken: Taken) -> None:
        """Take note of what was taken."""
        now = self._clock()
        for kind, keys in taken.items():
            for key, (count, rate) in keys.items():
                missing, last, before = self._held.pop((kind, key), (0.0, now, rate))
                self._held[kind, key] = (max(0.0, missing - (now - last) * before) + count, now, rate)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def now(self) -> Taken:
        """Return what is missing now."""
        moment, found = self._clock(), Taken()
        for (kind, key), (missing, last, rate) in self._held.items():
            left = missing - (moment - last) * rate
            if left > 0:
                found.setdefault(kind, {})[key] = (left, rate)
        return found


class Exchange:
    """Adds up what workers tell, and decides."""

    def __init__(self) -> None:
        self._trials = Trials()
        self._missing = Missing()

    def join(self, link: Link) -> None:
        """Tell a new worker what it must know."""
        link.owe(self._missing.now())

    def hear(self, link: Link, others: Sequence[Link]) -> None:
        """Take what a worker has told, also where it is dead by now."""
        while link.told:
            news = link.told.popleft()
            if "seen" in news:
                self._trials.add(from_json(Seen, news["seen"]))
            if "taken" in news:
                self._missing.add(news["taken"])
                for other in others:
                    other.owe(news["taken"])

    def turn(self, links: Sequence[Link]) -> None:
        """Hear all workers, decide, and tell them."""
        for link in links:
            self.hear(link, [other for other in links if other is not link])
        for verdict in self._trials.verdicts():
            for link in links:
                link.decide(to_json(verdict))
        for link in links:
            link.send()
