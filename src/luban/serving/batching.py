"""Rows of several requests gathered for one call of a model. It counts rows, not requests, and knows no threads.

A request of more rows than one call may have is taken in pieces; after each piece it goes to the end of the queue, so
that small requests do not wait for all of a large one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar


@dataclass(kw_only=True, eq=False)
class Job:
    """The rows of one request.

    Parameters
    ----------
    rows : int
        At least 1.
    since : float
        When it came, in seconds.
    alone : bool
        Whether it must be computed by itself.
    taken : int
        How many of its rows were handed out.
    dropped : bool
        Whether nobody waits for it any more.
    """

    rows: int
    since: float = 0.0
    alone: bool = False
    taken: int = 0
    dropped: bool = False


Kind = TypeVar("Kind", bound=Job)


class Piece(NamedTuple, Generic[Kind]):
    """Some rows of a request, one after the other."""

    job: Kind
    start: int
    stop: int


class Queue(Generic[Kind]):
    """Requests that wait for one model.

    Parameters
    ----------
    limit : int
        Rows that a call has at most.

    Examples
    --------
    >>> queue: Queue[Job] = Queue(4)
    >>> for rows in (3, 3):
    ...     queue.put(Job(rows=rows))
    >>> [(piece.start, piece.stop) for piece in queue.take()]
    [(0, 3), (0, 1)]
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows = 0
        self._jobs: deque[Kind] = deque()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def put(self, job: Kind, *, first: bool = False) -> None:
        """Take a request, or what is left of it."""
        self.rows += job.rows - job.taken
        if first:
            self._jobs.appendleft(job)
        else:
            self._jobs.append(job)

    def due(self, wait: float) -> float:
        """Return the moment until which the next call may wait for more rows, at most `wait` after its first came."""
        first = self._jobs[0]
        return first.since if first.alone or self.rows >= self.limit else first.since + wait

    def take(self, most: int | None = None) -> list[Piece[Kind]]:
        """Return what the next call computes: at most `most` rows, and never more than the limit."""
        room = self.limit if most is None else max(1, min(most, self.limit))
        found: list[Piece[Kind]] = []
        while self._jobs and room:
            job = self._jobs[0]
            if job.alone and found:
                break
            self._jobs.popleft()
            self.rows -= job.rows - job.taken
            if job.dropped:
                continue
            start, job.taken = job.taken, min(job.rows, job.taken + room)
            room -= job.taken - start
            found.append(Piece(job, start, job.taken))
            if job.alone:
                break
        return found
