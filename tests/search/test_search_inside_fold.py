"""Trials without hope are stopped inside a fold, and only those."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from luban.core.space import Real
from luban.search.candidate import Candidate
from luban.search.exploration import Exploration
from luban.search.learners import Searched
from luban.search.pruning.hopeless import HopelessRule
from luban.search.schedule import Schedule, Unit
from luban.search.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.execution.local import LocalExecutor
    from luban.search.result import StudyResult

STEPS = 60


def walk(rule: HopelessRule, name: str, losses: np.ndarray) -> int | None:
    """Return the step at which the rule stops a trial, None where it comes to its end."""
    for step, loss in enumerate(losses, start=1):
        if rule(name, step, float(loss)):
            return step
    rule.done(name)
    return None


def started() -> HopelessRule:
    rule = HopelessRule()
    for place in range(4):
        assert walk(rule, f"done {place}", 1.0 + np.exp(-np.arange(STEPS) / 5) + 0.01 * place) is None
    return rule


@given(rate=some.floats(0.01, 1.0), height=some.floats(0.0, 50.0), end=some.floats(0.0, 1.0))
def test_no_curve_that_bends_and_ends_among_the_better_half_is_stopped(rate: float, height: float, end: float) -> None:
    """However slow it is on its way."""
    shape = np.exp(-rate * np.arange(STEPS))
    assert walk(started(), "late", end + height * (shape - shape[-1])) is None


@pytest.mark.parametrize("losses", [np.full(STEPS, 3.0), np.full(STEPS, np.nan), 3.0 - 0.001 * np.arange(STEPS)])
def test_what_cannot_catch_up_is_stopped_before_half_of_its_steps(losses: np.ndarray) -> None:
    stopped = walk(started(), "flat", losses)
    assert stopped is not None
    assert STEPS / 4 <= stopped <= STEPS / 2


def test_nobody_is_stopped_before_others_are_done() -> None:
    assert walk(HopelessRule(), "first", np.full(STEPS, 3.0)) is None


def schedule(rounds: int | None) -> Schedule:
    spaces = {"l": Searched(space={"x": Real(0, 1)})}
    return Schedule([], Exploration(spaces, "random", seed=0), folds=3, rounds=rounds)


def goes_through(plan: Schedule, one: Unit, loss: float) -> bool:
    for step in range(1, STEPS):
        if plan.hopeless(one, step, loss + 1 / step):
            return False
    plan.fold_done(one)
    return True


@pytest.mark.parametrize(("rounds", "asked", "stays"), [(None, 7, False), (None, None, True), (3, 7, True)])
def test_only_searched_trials_are_stopped_and_never_by_rounds(
    rounds: int | None, asked: int | None, stays: bool
) -> None:
    """The portfolio gives an ensemble its breadth; in rounds nothing may depend on a clock."""

    def unit(strength: float, asked: int | None) -> Unit:
        return Unit(trial=Trial(candidate=Candidate(learner="l", parameters={"x": strength}), asked=asked), fold=0)

    plan = schedule(rounds)
    assert all(goes_through(plan, unit(place, None), 0.1) for place in range(4))
    late = unit(9.0, asked)
    assert goes_through(plan, late, 5.0) is stays
    assert (late.trial.state == "open") is stays


def test_a_study_stops_them_in_their_workers_and_goes_on_with_others(
    study: Callable[..., StudyResult], workers: LocalExecutor
) -> None:
    """Only strengths above 1, whose loss rests at 10, are stopped; what was stopped leaves no score and no weight."""
    told: list[str] = []
    found = study(
        learners=["search_learners:Rounds"],
        executor=workers,
        deadline=time.monotonic() + 280,
        on_event=lambda event: told.append(event.message),
        stop=lambda: any("stopped inside fold 1" in message for message in told),
    )
    stopped = [line for line in found.leaderboard if "stopped inside fold 1" in line.reason]
    assert stopped, "about half of what the searcher asks for has no hope"
    for line in stopped:
        assert (line.state, line.score, line.weight) == ("pruned", None, 0.0)
        assert float(line.parameters.removeprefix("strength=")) > 1
