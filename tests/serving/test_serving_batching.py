"""Batches: they count rows, keep order, lose nothing, and wait only where it pays."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.errors import InputError, OutOfTime, Unavailable
from luban.serving.batching import Job, Queue
from luban.serving.lanes import Lane
from luban.serving.limits import Limits, ModelFailed, ModelHangs, Overloaded
from luban.serving.pace import Pace

SIZES = st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=40)


@given(sizes=SIZES, limit=st.integers(1, 20), most=st.none() | st.integers(1, 30))
def test_no_call_exceeds_the_limit_and_every_row_is_computed_once_in_order(
    sizes: list[tuple[int, bool]], limit: int, most: int | None
) -> None:
    queue: Queue[Job] = Queue(limit)
    jobs = [Job(rows=rows, alone=alone) for rows, alone in sizes]
    for job in jobs:
        queue.put(job)
    done = {id(job): 0 for job in jobs}
    while queue:
        pieces = queue.take(most)
        assert 0 < sum(piece.stop - piece.start for piece in pieces) <= limit
        assert len(pieces) == 1 or not any(piece.job.alone for piece in pieces)
        for job, start, stop in pieces:
            assert start == done[id(job)] < stop
            done[id(job)] = stop
            if stop < job.rows:
                queue.put(job)
    assert queue.rows == 0
    assert [done[id(job)] for job in jobs] == [rows for rows, _ in sizes]


@given(
    calls=st.lists(st.tuples(st.integers(1, 500), st.floats(0, 2)), max_size=30),
    gaps=st.lists(st.floats(0, 1), max_size=30),
    delay=st.floats(0, 0.1),
)
def test_waiting_is_never_longer_than_the_delay_nor_than_what_it_can_save(
    calls: list[tuple[int, float]], gaps: list[float], delay: float
) -> None:
    """The moment at which a call is due is at most the delay after its first request came, whatever was measured."""
    pace, now = Pace(), 100.0
    for gap in gaps:
        now += gap
        pace.came(now)
    for rows, seconds in calls:
        pace.took(rows, seconds)
    assert 0 <= pace.wait(delay) <= min(delay, pace.fixed)
    queue: Queue[Job] = Queue(10)
    queue.put(Job(rows=1, since=now))
    assert now <= queue.due(pace.wait(delay)) <= now + delay
    queue.put(Job(rows=9, since=now))
    assert queue.due(delay) == now  # it is full


def test_the_fixed_part_of_calls_is_told_from_that_of_their_rows() -> None:
    pace = Pace()
    for rows in (1, 10, 3, 50, 7):
        pace.took(rows, 0.004 + 0.0002 * rows)
    assert pace.fixed == pytest.approx(0.004, rel=1e-6)
    assert pace.each == pytest.approx(0.0002, rel=1e-6)
    for turn in range(50):
        pace.came(turn * 0.001)
    assert pace.wait(0.002) == 0.002  # others come soon, and each saves 4 ms
    assert pace.quiet == pytest.approx(0.049 + 0.002, abs=1e-4)  # but after two usual gaps without one, none
    for turn in range(50):
        pace.came(1 + turn)
    assert pace.wait(0.002) == 0.0  # nobody else comes


# --- lanes ----------------------------------------------------------------------------------------


class Fake:
    """A runtime whose rows say how it behaves: numbers are doubled."""

    name, version = "fake", 1

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.released = threading.Event()

    def read_row(self, row: dict[str, Any], _missing: str) -> dict[str, Any]:
        if row["x"] == "unreadable":
            raise InputError("the column 'x' is bad")
        return row

    def read(self, data: list[dict[str, Any]], missing: str) -> tuple[Any, tuple[str, ...]]:
        rows = [self.read_row(row, missing)["x"] for row in data]
        return _Rows(rows), ()

    def predict_row(self, row: dict[str, Any], *, missing: str) -> Any:
        return self.answered_row(self.values_of_parts([self.read_row(row, missing)])[0])

    def values_of_parts(self, parts: list[Any]) -> list[np.ndarray]:
        rows = [part.rows if isinstance(part, _Rows) else [part["x"]] for part in parts]
        together = [one for part in rows for one in part]
        self.calls.append(together)
        if "raise" in together:
            raise ZeroDivisionError
        if "hang" in together:
            self.released.wait(180)
        time.sleep(0.003)
        return [np.array([math.nan if one == "nan" else 2.0 * one for one in part if one != "hang"]) for part in rows]

    def answered_row(self, values: np.ndarray) -> Any:
        if np.isnan(values).any():
            raise ModelFailed("no number")
        return float(values[0])

    def answered(self, values: list[np.ndarray], _notes: Any) -> Any:
        return np.concatenate([np.atleast_1d(self.answered_row(one) * 0 + one) for one in values])


class _Rows:
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def slice(self, start: int, length: int) -> _Rows:
        return _Rows(self.rows[start : start + length])


def ask(lane: Lane, value: Any, seconds: float = 180.0) -> Any:
    many = isinstance(value, list)
    data = [{"x": one} for one in value] if many else {"x": value}
    return lane.answer(data, len(value) if many else 1, "error", time.perf_counter() + seconds)


def gathered(runtime: Fake, limits: Limits, *values: Any) -> list[Any]:
    async def run() -> list[Any]:
        lane = Lane(runtime, limits)  # type: ignore[arg-type]
        try:
            found = await asyncio.gather(*(ask(lane, value) for value in values), return_exceptions=True)
            return [one if isinstance(one, BaseException) else one[0] for one in found]
        finally:
            runtime.released.set()
            lane.close()

    return asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(requests=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=9), max_size=12), limit=st.integers(1, 7))
def test_everyone_gets_their_own_rows_and_no_call_has_too_many(requests: list[list[int]], limit: int) -> None:
    runtime = Fake()
    found = gathered(runtime, Limits(rows=limit, threads=1), *requests)
    assert [one.tolist() for one in found] == [[2.0 * row for row in rows] for rows in requests]
    assert all(len(call) <= limit for call in runtime.calls)


def test_requests_that_wait_are_computed_together() -> None:
    runtime = Fake()
    assert gathered(runtime, Limits(threads=1, suspicious=180.0), *range(50)) == [2.0 * one for one in range(50)]
    assert len(runtime.calls) < 25


@pytest.mark.parametrize(
    ("bad", "error"), [("raise", ZeroDivisionError), ("nan", ModelFailed), ("unreadable", InputError)]
)
def test_a_bad_request_fails_alone(bad: str, error: type[Exception]) -> None:
    """The others of the same call are answered."""
    found = gathered(Fake(), Limits(threads=1), 1, 2, bad, 3, [4, 5], [6, bad])
    assert [found[place] for place in (0, 1, 3)] == [2.0, 4.0, 6.0]
    assert found[4].tolist() == [8.0, 10.0]
    assert isinstance(found[2], error)
    assert isinstance(found[5], error)


@pytest.mark.long
def test_a_request_that_hangs_is_given_up_and_others_go_on() -> None:
    runtime = Fake()
    found = gathered(runtime, Limits(threads=1, seconds=10.0, suspicious=0.1), 0, 1, "hang", 2, 3)
    assert [found[place] for place in (0, 1, 3, 4)] == [0.0, 2.0, 4.0, 6.0]
    assert isinstance(found[2], ModelHangs)


def test_a_call_that_takes_long_keeps_no_other_waiting() -> None:
    """With one thread, others are answered while a request hangs that may take a minute."""
    runtime = Fake()

    async def run() -> None:
        lane = Lane(runtime, Limits(threads=1, seconds=180.0, suspicious=0.05))  # type: ignore[arg-type]
        long = [asyncio.ensure_future(ask(lane, "hang")) for _ in range(3)]
        assert [(await ask(lane, value))[0] for value in range(5)] == [2.0 * value for value in range(5)]
        assert not any(one.done() for one in long)
        runtime.released.set()
        await asyncio.gather(*long, return_exceptions=True)
        assert (await ask(lane, 7))[0] == 14.0

    asyncio.run(run())


def test_a_model_of_which_too_many_calls_hang_is_asked_no_more_until_they_end() -> None:
    runtime = Fake()
    told: list[str] = []

    async def run() -> None:
        lane = Lane(runtime, Limits(threads=1, seconds=0.05, lost=2), lambda event, **_: told.append(event))  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(OutOfTime):
                await ask(lane, "hang")
        with pytest.raises(Unavailable):
            await ask(lane, 1)
        runtime.released.set()
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            try:
                assert (await ask(lane, 1))[0] == 2.0
                break
            except (Unavailable, ModelHangs):  # a machine that stands still makes a call of 3 ms one that hangs
                continue
        else:
            pytest.fail("the model was not asked again")

    asyncio.run(run())
    assert told[:2] == ["model-hangs", "model-hangs"]


def test_too_many_rows_are_refused_with_a_time_to_ask_again() -> None:
    limits = Limits(threads=1, rows=10, waiting=30, suspicious=180.0)  # what hangs keeps its thread all the while
    runtime, found = Fake(), []

    async def run() -> None:
        lane = Lane(runtime, limits)  # type: ignore[arg-type]
        hangs = asyncio.ensure_future(ask(lane, "hang"))
        await _computing(runtime)
        asked = [asyncio.ensure_future(ask(lane, [1] * 5)) for _ in range(20)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        runtime.released.set()
        found.extend(await asyncio.gather(*asked, return_exceptions=True))
        await asyncio.wait([hangs])

    asyncio.run(run())
    refused = [one for one in found if isinstance(one, Overloaded)]
    assert len(refused) == 14  # six of them have thirty rows
    assert all(one.after >= 1 for one in refused)
    assert len(gathered(Fake(), limits, [1] * 500)[0]) == 500  # alone, a large request is taken


async def _computing(runtime: Fake) -> None:
    """Return when a call has begun."""
    deadline = time.monotonic() + 180
    while not runtime.calls:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_a_deadline_ends_the_waiting_of_its_request_alone() -> None:
    runtime = Fake()

    async def run() -> None:
        lane = Lane(runtime, Limits(threads=1, suspicious=180.0))  # type: ignore[arg-type]
        slow = asyncio.ensure_future(ask(lane, "hang"))
        await _computing(runtime)
        impatient, patient = asyncio.ensure_future(ask(lane, 1, 0.05)), asyncio.ensure_future(ask(lane, 2))
        with pytest.raises(OutOfTime, match="turn"):
            await impatient
        runtime.released.set()
        assert (await patient)[0] == 4.0
        slow.cancel()

    asyncio.run(run())
    assert 1 not in [row for call in runtime.calls for row in call]  # nobody waited for it any more


def test_limits_must_be_possible() -> None:
    for wrong in ({"rows": 0}, {"seconds": math.inf}, {"delay": 2.0}, {"body": -1}):
        with pytest.raises(InputError):
            Limits(**wrong)
