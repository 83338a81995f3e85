"""What every executor must do; run it over one of your own with `check_executor`."""

# ruff: noqa: ARG001 - a job is given `report` whether it reports or not.

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from luban.core.paths import paths_allowed, paths_refused
from luban.core.protocols import Event, Executor, Job

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "luban.testing.executor"
_LONG = 240.0  # seconds that none of these jobs takes, on however slow a machine, unless something is broken


# --- jobs ---------------------------------------------------------------------------------------


def double(report: Callable[[Any], bool], *, value: Any) -> Any:
    """Return twice the value."""
    return value * 2


def count(report: Callable[[Any], bool], *, to: int, pause: float = 0.0) -> dict[str, int]:
    """Count, report each number, and stop early when told to."""
    for number in range(to):
        time.sleep(pause)
        if not report({"number": number}):
            return {"counted": number}
    return {"counted": to}


def fail(report: Callable[[Any], bool], *, words: str) -> None:
    """Raise an error with these words."""
    raise ValueError(words)


def noise(report: Callable[[Any], bool], *, lines: int) -> str:
    """Write to the standard output as a library in C does, past Python."""
    for _ in range(lines):
        os.write(1, b'{"job": 1, "kind": "finished", "value": "noise"}\n')
    return "done"


def hang(report: Callable[[Any], bool], *, seconds: float) -> str:
    """Sleep, and listen to nobody."""
    time.sleep(seconds)
    return "slept"


def may_open(report: Callable[[Any], bool]) -> bool:
    """Return whether files that rows name may be opened."""
    return paths_allowed()


# --- checks -------------------------------------------------------------------------------------


def check_executor(make: Callable[[], Executor], *, kills: bool = True) -> None:
    """Raise AssertionError where an executor breaks the protocol.

    Parameters
    ----------
    make : callable
        Returns a new executor.
    kills : bool
        Whether it runs jobs where they can be killed; without it only what needs no kill is checked.
    """
    _with(make, _check_results)
    _with(make, _check_paths)
    _with(make, _check_failure)
    _with(make, _check_progress)
    _with(make, _check_waiting_cancelled)
    if kills:
        _with(make, _check_noise)
        _with(make, _check_timeout)
        _with(make, _check_cancelled)
        _with(make, _check_deadline)


def _with(make: Callable[[], Executor], check: Callable[[Executor], None]) -> None:
    executor = make()
    try:
        assert isinstance(executor, Executor), "it lacks a part of the protocol Executor"
        assert executor.workers >= 1 and executor.threads >= 1, "it runs no job at a time, or in no thread"  # noqa: PT018
        check(executor)
    finally:
        executor.close()


def _job(function: str, **arguments: Any) -> Job:
    return Job(function=f"{HERE}:{function}", arguments=arguments)


def _last(executor: Executor) -> dict[int, Event]:
    return {event.job: event for event in executor.events(_LONG) if event.kind != "progress"}


def _check_results(executor: Executor) -> None:
    assert list(executor.events(0.1)) == [], "an executor without jobs has no events"
    numbers = [executor.submit(_job("double", value=value)) for value in range(5)]
    assert len(set(numbers)) == len(numbers), "each job has a number of its own"
    results = _last(executor)
    assert {number: results[number].value for number in numbers} == {
        number: 2 * value for value, number in enumerate(numbers)
    }, "each job's result comes under its number"
    assert all(event.kind == "finished" for event in results.values())


def _check_paths(executor: Executor) -> None:
    with paths_refused():
        refused = executor.submit(_job("may_open"))
    allowed = executor.submit(_job("may_open"))
    results = _last(executor)
    assert results[refused].value is False, "a job may not open what whoever submits it may not"
    assert results[allowed].value is True, "what one job may not is no matter of the next"


def _check_failure(executor: Executor) -> None:
    broken, sound = executor.submit(_job("fail", words="the oven is cold")), executor.submit(_job("double", value="a"))
    missing = executor.submit(Job(function=f"{HERE}:nothing_like_this"))
    results = _last(executor)
    assert results[broken].kind == "failed", "a job that raises has failed"
    assert "the oven is cold" in results[broken].value["error"], "a failure carries the words of its error"
    assert results[missing].kind == "failed", "a function that is not there fails its job"
    assert results[sound].value == "aa", "one job's failure does not touch another"


def _check_progress(executor: Executor) -> None:
    number = executor.submit(_job("count", to=3))
    kinds = [(event.kind, event.value) for event in executor.events(_LONG) if event.job == number]
    assert kinds == [
        ("progress", {"number": 0}),
        ("progress", {"number": 1}),
        ("progress", {"number": 2}),
        ("finished", {"counted": 3}),
    ], "reported values come in order, before the result"


def _check_waiting_cancelled(executor: Executor) -> None:
    numbers = [executor.submit(_job("count", to=10_000, pause=0.02)) for _ in range(4)]
    for number in reversed(numbers):  # the last waits for the others, which take minutes where they are left alone
        executor.cancel(number)
    assert _last(executor)[numbers[-1]].kind == "killed", "a job that is cancelled while it waits is killed"


def _check_noise(executor: Executor) -> None:
    executor.submit(_job("noise", lines=100))
    assert [event.value for event in executor.events(_LONG)] == ["done"], "what a job prints is no event"


def _check_timeout(executor: Executor) -> None:
    number = executor.submit(_job("hang", seconds=600.0))
    assert list(executor.events(0.05)) == [], "events returns when its time is over"
    executor.cancel(number)
    assert [event.kind for event in executor.events(_LONG)] == ["killed"], "and goes on where it was"


def _check_cancelled(executor: Executor) -> None:
    number = executor.submit(_job("count", to=10_000, pause=0.01))
    for event in executor.events(_LONG):
        if event.kind == "progress" and event.value["number"] == 2:
            executor.cancel(number)
    assert event.kind == "killed", "a job that is cancelled while it runs is killed"
    executor.submit(_job("double", value=4))
    assert [event.value for event in executor.events(_LONG)] == [8], "and the next job runs"


def _check_deadline(executor: Executor) -> None:
    late = Job(function=f"{HERE}:hang", arguments={"seconds": 600}, deadline=time.monotonic() + 0.2)
    number = executor.submit(late)
    other = executor.submit(_job("double", value=4))
    results = _last(executor)
    assert results[number].kind == "killed", "a job that is not done at its deadline is killed"
    assert results[other].value == 8, "and the next job runs"
