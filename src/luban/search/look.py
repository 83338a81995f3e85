"""A look at what a fit would take: a worker asks the learners, and keeps what it imported for the fits that follow."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.budget import Effort
from luban.core.errors import OutOfTime
from luban.core.protocols import DIED, Alternative, Comparing, Forecast, Job, Plannable, Preflight, Unsuitable
from luban.core.report import Finding  # noqa: TC001 (read when findings come back as JSON)
from luban.core.serial import from_json, to_json
from luban.execution.resources import resources
from luban.search.fold import examples_of, rows_of
from luban.search.learners import learner_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from luban.core.protocols import Executor
    from luban.search.candidate import Candidate

# What a worker may take to import what a network needs and to read its weights. It keeps both for the fits that follow:
# to end it sooner would only make them begin anew.
STARTING_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look at one candidate gave."""

    forecast: Forecast | None = None
    unsuitable: str = ""
    findings: tuple[Finding, ...] = ()
    slow: bool = False


def can_tell(learner: str) -> bool:
    """Return whether a learner says anything before a fit."""
    return isinstance(learner_named(learner), Plannable | Preflight)


def forecasts(learner: str) -> bool:
    """Return whether a learner tells what a fit would take: one that does not waits for no forecast."""
    return isinstance(learner_named(learner), Plannable)


def ask(
    candidate: Candidate, folder: Path, executor: Executor, *, limit: float, seed: int, cache: str | None, inspect: bool
) -> Seen:
    """Return what a look at a candidate gave.

    Parameters
    ----------
    limit : float
        Seconds that it may take; infinite where no clock counts.
    inspect : bool
        As for `look`.
    """
    job = executor.submit(
        Job(
            function="luban.search.look:look",
            arguments={
                "folder": str(folder),
                "learner": candidate.learner,
                "parameters": dict(candidate.parameters),
                "seconds": limit if limit < math.inf else None,
                "threads": _threads(executor),
                "seed": seed,
                "cache": cache,
                "inspect": inspect,
            },
            deadline=time.monotonic() + limit + STARTING_SECONDS if limit < math.inf else None,
        )
    )
    for event in executor.events():
        if event.job != job or event.kind == "progress":
            continue
        if event.kind == "finished":
            return from_json(Seen, event.value)
        if event.kind == "failed" and event.value["type"] == DIED:
            # Its fit takes no less than a few of its steps, and would end later in the same way.
            there = f"this machine with {resources().memory / 1e9:.1f} GB of memory"
            return Seen(unsuitable=f"a probe of it died, as its fit would, on {there}: {event.value['error']}")
        if event.kind == "failed" and event.value["type"] != OutOfTime.__name__:
            return Seen(unsuitable=f"a probe of it failed: {event.value['error']}")
        break
    # It took too long to be told; the fit itself ends in time.
    return Seen(slow=True)


def look(
    report: Callable[[Any], bool],  # noqa: ARG001
    *,
    folder: str,
    learner: str,
    parameters: Mapping[str, Any],
    seconds: float | None,
    threads: int,
    seed: int,
    cache: str | None,
    inspect: bool,
) -> Any:
    """Look at one candidate, in a worker, and return what was seen as JSON.

    Parameters
    ----------
    seconds : float, optional
        That the look may take.
    inspect : bool
        Whether to look for what would spoil it as well, which is the same for all candidates of a learner.
    """
    rows = rows_of(folder)
    examples = examples_of(rows, rows.learnt(0))
    until = math.inf if seconds is None else time.monotonic() + seconds
    effort = Effort(deadline=until, threads=threads, seed=seed, cache=cache)
    able = learner_named(learner)
    findings: tuple[Finding, ...] = ()
    if inspect and isinstance(able, Preflight):
        findings = tuple(able.preflight(rows.task, rows.schema, examples, parameters=dict(parameters), effort=effort))
    forecast: Forecast | Unsuitable | None = None
    if isinstance(able, Plannable) and not any(finding.verdict == "block" for finding in findings):
        forecast = able.forecast(rows.task, rows.schema, examples, parameters=dict(parameters), effort=effort)
    return to_json(
        Seen(
            forecast=forecast if isinstance(forecast, Forecast) else None,
            unsuitable=forecast.reason if isinstance(forecast, Unsuitable) else "",
            findings=findings,
        )
    )


def ask_others(
    learner: str,
    measured: Sequence[Alternative],
    folder: Path,
    executor: Executor,
    *,
    seconds: float,
    limit: float | None,
    seed: int,
) -> list[Alternative] | str:
    """Return what the ways of a learner that only a search would try would take, or why that cannot be told.

    Parameters
    ----------
    measured : sequence of Alternative
        Those that were looked at, with what they take.
    seconds : float
        In which steps of them are tried; with 0 none is.
    limit : float, optional
        Seconds after which it is given up; None where no clock counts.
    """
    if not measured or not isinstance(learner_named(learner), Comparing):
        return []
    job = executor.submit(
        Job(
            function="luban.search.look:compare",
            arguments={
                "folder": str(folder),
                "learner": learner,
                "measured": [to_json(one) for one in measured],
                "seconds": seconds,
                "threads": _threads(executor),
                "seed": seed,
            },
            deadline=None if limit is None else time.monotonic() + limit,
        )
    )
    for event in executor.events():
        if event.job == job and event.kind == "finished":
            return [from_json(Alternative, one) for one in event.value]
        if event.job == job and event.kind == "failed":
            return f"its other ways could not be told: {event.value['error']}"
        if event.job == job and event.kind != "progress":
            break
    return "there was no time to tell its other ways"


def compare(
    report: Callable[[Any], bool],  # noqa: ARG001
    *,
    folder: str,
    learner: str,
    measured: Sequence[Mapping[str, Any]],
    seconds: float,
    threads: int,
    seed: int,
) -> Any:
    """Compare the ways of a learner with those that were measured, in a worker, and return them as JSON."""
    rows = rows_of(folder)
    able = learner_named(learner)
    assert isinstance(able, Comparing)
    known = [from_json(Alternative, one) for one in measured]
    effort = Effort(deadline=time.monotonic() + seconds, threads=threads, seed=seed)
    examples = examples_of(rows, rows.learnt(0))
    return [to_json(one) for one in able.alternatives(rows.task, rows.schema, examples, measured=known, effort=effort)]


def _threads(executor: Executor) -> int:
    """Return all that a job which runs alone may use."""
    return executor.threads * executor.workers
