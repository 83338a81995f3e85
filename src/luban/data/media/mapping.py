"""One function over many files at once, in the order they came, with a bounded number of them in memory."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from luban.execution.resources import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

Given = TypeVar("Given")
Made = TypeVar("Made")
MOST_THREADS = 8
FEW = 4
"""So few values are not worth a thread."""


def mapped(function: Callable[[Given], Made], values: Iterable[Given], *, threads: int | None = None) -> Iterator[Made]:
    """Yield ``function(value)`` for each value, in order.

    The decoders of pictures and sounds let other threads run while they work (they release the interpreter's lock), so
    threads are as quick as processes here and copy nothing.

    Parameters
    ----------
    function : callable
    values : iterable
    threads : int, optional
        By default those that this process may run, eight at most.
    """
    values = iter(values)
    first = [value for _, value in zip(range(FEW), values, strict=False)]
    threads = _threads() if threads is None else threads
    if len(first) < FEW or threads < 2:
        yield from map(function, first)
        yield from map(function, values)
        return
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            waiting.extend(pool.submit(function, value) for value in first)
            for value in values:
                waiting.append(pool.submit(function, value))
                if len(waiting) >= 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def begun_in_time(
    function: Callable[[Given], Made], values: Sequence[Given], *, seconds: float = math.inf
) -> list[Made]:
    """Return ``function(value)`` for the first values, as many as can be begun in the time; the first in any case."""
    until = time.monotonic() + seconds

    def one(place: int) -> list[Made]:
        return [function(values[place])] if not place or time.monotonic() < until else []

    return [made for found in mapped(one, range(len(values))) for made in found]


def _threads() -> int:
    told = os.environ.get("OMP_NUM_THREADS", "")  # what a worker process was given of the processors
    return min(resources().cpus, int(told) if told.isdecimal() else MOST_THREADS, MOST_THREADS)
