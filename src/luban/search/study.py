"""A study: from a task and its rows to the best ensemble that a budget allows."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from luban.core.protocols import Warming
from luban.execution.deadline import Plan
from luban.search import scratch
from luban.search.ahead import Planned, look_ahead, told
from luban.search.course import Course
from luban.search.exploration import Exploration
from luban.search.finish import finish
from luban.search.folding import divide, divide_forward
from luban.search.interrupt import interruptible
from luban.search.learners import survey, warmed
from luban.search.result import StudyEvent
from luban.search.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from luban.core.protocols import Executor
    from luban.core.schema import Schema
    from luban.core.task import Task
    from luban.search.ahead import Ahead
    from luban.search.candidate import Candidate
    from luban.search.result import StudyResult

__all__ = ["StudyEvent", "plan_study", "run_study", "warm"]

# What any fold needs first, then what pyarrow, encodings and linear models import when they first work.
_WORKER_MODULES = ("luban.search.fold", "luban.learners.composite", "pandas", "scipy.special", "scipy.optimize")


def warm(executor: Executor, *modules: str) -> None:
    """Let an executor that can do so import what folds need, while the parent reads the data."""
    if isinstance(executor, Warming):
        executor.warm(*_WORKER_MODULES, *modules)


def run_study(
    *,
    task: Task,
    schema: Schema,
    table: pa.Table,
    target: np.ndarray,
    folder: Path,
    executor: Executor,
    weight: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    moments: np.ndarray | None = None,
    plan: Plan | None = None,
    deadline: float | None = None,
    rounds: int | None = None,
    seed: int = 0,
    learners: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    first: Sequence[Candidate] = (),
    searcher: str = "tpe",
    members: int = 6,
    resume: bool = False,
    cache: Path | None = None,
    on_event: Callable[[StudyEvent], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> StudyResult:
    """Run the portfolio, search on, and return the best ensemble.

    The first Ctrl-C (in the main thread) ends the search with the best ensemble so far; a second one is a
    KeyboardInterrupt.

    Parameters
    ----------
    schema : Schema
        Of the input columns, in the order of `table`.
    table : pyarrow.Table
        The inputs, n rows.
    target : numpy.ndarray
        Shape (n,): class codes or numbers.
    folder : Path
        Scratch folder of this study: what is finished is kept there, and `resume` goes on from it.
    weight : numpy.ndarray, optional
        Shape (n,); of rows while learning.
    groups : numpy.ndarray, optional
        Shape (n,); rows of one group are judged together.
    moments : numpy.ndarray, optional
        Shape (n,); ranks in time. Then the latest rows judge, and each fold learns from earlier rows only. Groups are
        not looked at.
    plan : Plan, optional
        The study ends at its ``study_deadline``.
    deadline : float, optional
        Instead of a plan: value of `time.monotonic` at which the study must have ended.
    rounds : int, optional
        Instead of time: how many candidates are tried. Then no decision depends on a clock, and the same seed gives the
        same result.
    learners, exclude : sequence of str
        Only these learners (names, or ``"package.module:Class"``), or all but these.
    first : sequence of Candidate
        Tried before the portfolio, where their learners suit: what a search is warmed by.
    searcher : str
        Name in the group ``luban.searchers``.
    members : int
        Most members of the ensemble.
    cache : Path, optional
        `Effort.cache` of all fits.
    on_event : callable, optional
        Told what happens.
    stop : callable, optional
        Asked now and then whether to end with the best so far.

    Raises
    ------
    LubanError
        If no learner suits the task, or all of them fail.
    """
    begun = time.monotonic()
    if plan is None:
        plan = Plan(started=begun, deadline=math.inf if deadline is None or rounds is not None else deadline)
    if rounds is not None:
        plan = Plan(started=plan.started)
    found = warmed(survey(task, schema, len(target), plan.study_remaining(), learners, exclude), first)
    folds = _divided(task, target, groups, moments, seed=seed, repeat=rounds is None)
    forward = moments is not None
    rows = scratch.Rows(
        task=task, schema=schema, table=table, target=target, weight=weight, folds=folds, forward=forward
    )
    scratch.begin(folder, rows, seed=seed, resume=resume)
    tell = on_event or (lambda _event: None)
    ahead = look_ahead(
        found.portfolio,
        folder=folder,
        executor=executor,
        seconds=plan.study_remaining(),
        seed=seed,
        cache=None if cache is None else str(cache),
        named=learners or (),
        most=rounds,
    )
    for message in told(ahead):
        tell(StudyEvent(kind="plan", message=message, done=0.0))
    schedule = Schedule(
        ahead.portfolio,
        Exploration(found.spaces, searcher, seed=seed),
        folds=rows.folds_a_repeat,
        repeats=len(rows.folds),
        rounds=rounds,
    )
    course = Course(
        rows=rows,
        folder=folder,
        executor=executor,
        schedule=schedule,
        plan=plan,
        seed=seed,
        members=members,
        cache=None if cache is None else str(cache),
        on_event=tell,
    )
    with interruptible() as wish:

        def stopped() -> bool:
            return wish.asked or (stop is not None and stop())

        course.run(stopped)
        return finish(course, unsuitable=found.unsuitable, ahead=ahead, begun=begun, interrupted=stopped)


def plan_study(
    *,
    task: Task,
    schema: Schema,
    table: pa.Table,
    target: np.ndarray,
    folder: Path,
    executor: Executor,
    groups: np.ndarray | None = None,
    moments: np.ndarray | None = None,
    seconds: float = math.inf,
    seed: int = 0,
    learners: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
) -> Ahead:
    """Return what a study of these rows would try, what that would take and what would spoil it, and fit nothing.

    Parameters
    ----------
    folder : Path
        Scratch folder; the rows are written there for the workers.
    seconds : float
        That the study would have.

    Raises
    ------
    LubanError
        If a learner that is asked for is not there, or what was found forbids the study.
    """
    found = survey(task, schema, len(target), seconds, learners, exclude)
    folds = _divided(task, target, groups, moments, seed=seed, repeat=False)
    forward = moments is not None
    rows = scratch.Rows(task=task, schema=schema, table=table, target=target, weight=None, folds=folds, forward=forward)
    scratch.begin(folder, rows, seed=seed, resume=False)
    ahead = look_ahead(
        found.portfolio,
        folder=folder,
        executor=executor,
        seconds=seconds,
        seed=seed,
        cache=None,
        named=learners or (),
        alone=True,
    )
    unsuitable = tuple(Planned(learner=name, reason=reason) for name, reason in found.unsuitable.items())
    return replace(ahead, plan=(*ahead.plan, *unsuitable))


def _divided(
    task: Task, target: np.ndarray, groups: np.ndarray | None, moments: np.ndarray | None, *, seed: int, repeat: bool
) -> np.ndarray:
    if moments is not None:
        return divide_forward(task, target, moments)
    return divide(task, target, groups, seed=seed, repeat=repeat)
