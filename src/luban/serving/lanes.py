"""The lane of one model: its own queue and threads, so that a model that hangs or fails harms no other.

Requests that wait are computed together (`luban.serving.batching`). Each is read by itself, so what is wrong with one
is its own error; where a model fails on several at once, or takes suspiciously long, each is tried again alone. A call
of one request that takes suspiciously long goes on while another thread takes its place; where it does not end in time
either, it is given up and its request is answered 504. All of it but the calls themselves happens on the event loop,
without locks.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luban.core.errors import OutOfTime, Unavailable
from luban.serving.batching import Job, Piece, Queue
from luban.serving.limits import ModelHangs, Overloaded
from luban.serving.pace import Pace

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.serving.limits import Limits
    from luban.serving.runtime import Missing, Runtime


@dataclass(kw_only=True, eq=False)
class _Asked(Job):
    """One request for rows, or a function to call in the lane."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    data: Any = None
    missing: Missing = "error"
    function: Callable[[], Any] | None = None
    table: pa.Table | None = None
    notes: tuple[str, ...] = ()
    values: list[np.ndarray] = field(default_factory=list)
    computed: float = 0.0
    running: bool = False


@dataclass(kw_only=True, eq=False)
class _Call:
    """What a thread computes at once."""

    pieces: list[Piece[_Asked]]
    loop: asyncio.AbstractEventLoop
    began: float
    beside: bool = False
    lost: bool = False
    timer: asyncio.TimerHandle | None = None


class _Thread:
    """A thread that computes one call after the other."""

    def __init__(
        self, compute: Callable[[_Call], list[Any]], done: Callable[[_Thread, _Call, list[Any]], None]
    ) -> None:
        self.calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._compute = compute
        self._done = done
        threading.Thread(target=self._run, name="luban-predict", daemon=True).start()

    def _run(self) -> None:
        while (call := self.calls.get()) is not None:
            found = self._compute(call)
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                call.loop.call_soon_threadsafe(self._done, self, call, found)


class Lane:
    """Computes what is asked of one model.

    Parameters
    ----------
    runtime : Runtime
    limits : Limits
    tell : callable, optional
        Called with an event's name and details where the model hangs.
    """

    def __init__(self, runtime: Runtime, limits: Limits, tell: Callable[..., None] | None = None) -> None:
        self._runtime = runtime
        self._limits = limits
        self._tell = tell or (lambda _event, **_details: None)
        self._queue: Queue[_Asked] = Queue(limits.rows)
        self._pace = Pace()
        self._free: list[_Thread] = []
        self._working = 0
        self._beside = 0
        self._lost = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def answer(self, data: Any, rows: int, missing: Missing, deadline: float) -> tuple[Any, float]:
        """Return (answer, seconds that the model took).

        Parameters
        ----------
        data : mapping (one row), sequence of mappings, or pyarrow.Table
        rows : int
            How many it has, at least 1.
        missing : {"error", "fill"}
        deadline : float
            Value of `time.perf_counter` after which nobody waits for the answer.

        Returns
        -------
        tuple
            The answer of a mapping is as `Runtime.predict_row` gives it, that of rows an `Answer`.

        Raises
        ------
        Overloaded
            If too many rows wait already.
        OutOfTime
            If the deadline came first; `ModelHangs` where the request was being computed alone.
        """
        return await self._ask(deadline, rows=rows, data=data, missing=missing)

    async def call(self, function: Callable[[], Any], deadline: float) -> Any:
        """Return what a function returns that asks the model itself, called in the lane."""
        return (await self._ask(deadline, rows=1, alone=True, function=function))[0]

    def close(self) -> None:
        """End the threads once nothing waits; what is asked later is still answered."""
        self._closed = True
        self._rest()

    # --- on the event loop ------------------------------------------------------------------------

    async def _ask(self, deadline: float, **about: Any) -> tuple[Any, float]:
        limits, now, loop = self._limits, time.perf_counter(), asyncio.get_running_loop()
        if self._lost >= limits.lost:
            raise Unavailable("the model hangs", seen=f"{self._lost} calls do not end", remedy="Ask again later.")
        job = _Asked(since=now, loop=loop, future=loop.create_future(), **about)
        if self._queue and self._queue.rows + job.rows > limits.waiting:
            raise Overloaded(
                "too many rows wait for the model",
                seen=f"{self._queue.rows} wait, at most {limits.waiting}",
                after=self._queue.rows * self._pace.mean() / limits.threads,
            )
        self._pace.came(now)
        self._queue.put(job)
        late = loop.call_later(max(0.0, deadline - now), self._late, job)
        self._go()
        try:
            return await job.future, job.computed
        finally:
            late.cancel()
            job.dropped = True

    def _late(self, job: _Asked) -> None:
        job.dropped = True
        if job.future.done():
            return
        kind = ModelHangs if job.running and job.alone else OutOfTime
        job.future.set_exception(
            kind("the answer was not ready in time", seen="computing" if job.running else "waiting for its turn")
        )

    def _go(self) -> None:
        """Begin as many calls as there are threads for, unless it pays to wait for more rows."""
        while self._queue and self._working < self._limits.threads:
            now, loop = time.perf_counter(), asyncio.get_running_loop()
            wait = min(self._queue.due(self._pace.wait(self._limits.delay)), self._pace.quiet) - now
            if wait > 0:
                if self._timer is None:
                    self._timer = loop.call_later(wait, self._ring)
                return
            pieces = self._queue.take()
            if pieces:
                self._begin(_Call(pieces=pieces, loop=loop, began=now))

    def _ring(self) -> None:
        self._timer = None
        self._go()

    def _begin(self, call: _Call) -> None:
        rows = sum(piece.stop - piece.start for piece in call.pieces)
        several = len(call.pieces) > 1
        if not several:
            call.pieces[0].job.alone = True
        for piece in call.pieces:
            piece.job.running = True
        thread = self._free.pop() if self._free else _Thread(self._compute, self._done)
        self._working += 1
        suspicious = max(self._limits.suspicious, 10 * self._pace.expected(rows))
        act = self._lose if several else self._step_aside
        call.timer = call.loop.call_later(min(suspicious, self._limits.seconds), act, call)
        thread.calls.put(call)

    def _step_aside(self, call: _Call) -> None:
        """Let others go on beside a call of one request that takes long, so that it does not keep them waiting."""
        left = call.began + self._limits.seconds - time.perf_counter()
        call.timer = call.loop.call_later(max(0.0, left), self._lose, call)
        if self._beside + self._lost < self._limits.lost:
            call.beside = True
            self._beside += 1
            self._working -= 1
            self._go()

    def _lose(self, call: _Call) -> None:
        """Go on without a call that does not end; requests that were in it together are tried alone."""
        call.lost = True
        self._leave(call)
        self._lost += 1
        self._tell("model-hangs", model=self._runtime.name, version=self._runtime.version, requests=len(call.pieces))
        for piece in call.pieces:
            if len(call.pieces) > 1:
                self._again(piece)
            elif not piece.job.future.done():
                piece.job.future.set_exception(ModelHangs("the model did not answer in time"))
        self._go()

    def _leave(self, call: _Call) -> None:
        if call.beside:
            self._beside -= 1
        else:
            self._working -= 1

    def _again(self, piece: Piece[_Asked]) -> None:
        job = piece.job
        if not job.future.done():
            job.taken, job.alone, job.running = piece.start, True, False
            self._queue.put(job, first=True)

    def _done(self, thread: _Thread, call: _Call, found: list[Any]) -> None:
        if call.lost:
            self._lost -= 1
            thread.calls.put(None)
            self._go()
            return
        assert call.timer is not None
        call.timer.cancel()
        self._leave(call)
        if call.beside:
            thread.calls.put(None)
        else:
            self._free.append(thread)
        seconds = time.perf_counter() - call.began
        if call.pieces[0].job.function is None:
            self._pace.took(sum(piece.stop - piece.start for piece in call.pieces), seconds)
        for piece, one in zip(call.pieces, found, strict=True):
            self._settle(piece, one, seconds, len(call.pieces) > 1)
        if self._queue:
            self._go()
        elif self._closed:
            self._rest()

    def _settle(self, piece: Piece[_Asked], found: Any, seconds: float, several: bool) -> None:
        job = piece.job
        job.computed += seconds
        job.running = False
        if job.future.done():
            return
        if isinstance(found, _Together) and several:
            self._again(piece)
        elif isinstance(found, Exception):
            job.future.set_exception(found.cause if isinstance(found, _Together) else found)
        elif job.taken < job.rows:
            job.alone = False
            self._queue.put(job)
        else:
            job.future.set_result(found)

    def _rest(self) -> None:
        for thread in self._free:
            thread.calls.put(None)
        self._free.clear()

    # --- in a thread ------------------------------------------------------------------------------

    def _compute(self, call: _Call) -> list[Any]:
        """Return what each piece comes to: an answer, None where more of its rows follow, or an exception."""
        if len(call.pieces) == 1 and (single := self._single(call.pieces[0].job)) is not None:
            return [single]
        found: list[Any] = [self._read(piece) for piece in call.pieces]
        good = [place for place, one in enumerate(found) if not isinstance(one, Exception)]
        if not good:
            return found
        try:
            parts = self._runtime.values_of_parts([found[place] for place in good])
        except Exception as error:  # noqa: BLE001 - a model may fail in any way; its requests are told
            for place in good:
                found[place] = _Together(error)
            return found
        for place, values in zip(good, parts, strict=True):
            found[place] = self._answered(call.pieces[place], values)
        return found

    def _single(self, job: _Asked) -> Any:
        """Return what a function or a single row comes to, by the short way."""
        if job.function is None and not isinstance(job.data, Mapping):
            return None
        try:
            return job.function() if job.function else self._runtime.predict_row(job.data, missing=job.missing)
        except Exception as error:  # noqa: BLE001
            return error

    def _read(self, piece: Piece[_Asked]) -> Any:
        job = piece.job
        try:
            if isinstance(job.data, Mapping):
                return self._runtime.read_row(job.data, job.missing)
            if job.table is None:
                job.table, job.notes = self._runtime.read(job.data, job.missing)
            return job.table.slice(piece.start, piece.stop - piece.start)
        except Exception as error:  # noqa: BLE001
            return error

    def _answered(self, piece: Piece[_Asked], values: np.ndarray) -> Any:
        job = piece.job
        try:
            if isinstance(job.data, Mapping):
                return self._runtime.answered_row(values)
            job.values.append(values)
            return None if piece.stop < job.rows else self._runtime.answered(job.values, job.notes)
        except Exception as error:  # noqa: BLE001
            return error


class _Together(Exception):
    """A call failed as a whole; which of its requests is to blame is not known."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause
