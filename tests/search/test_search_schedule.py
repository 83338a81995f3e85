"""The order in which a study works, without fitting anything."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from luban.core.space import Real
from luban.core.task import Task
from luban.search.candidate import Candidate, seed_of
from luban.search.exploration import Exploration
from luban.search.final import MOST_BYTES, MOST_MODELS, ending, refit_candidate
from luban.search.folding import divide
from luban.search.learners import Searched
from luban.search.schedule import Clock, Schedule, Unit
from luban.search.scratch import FoldResult, Rows
from luban.search.standing import Standing, common_depth
from luban.search.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

FOLDS = 4
PORTFOLIO = [Candidate(learner="swift"), Candidate(learner="swift", parameters={"x": 1}), Candidate(learner="slow")]


def clock(left: float = 100.0, spent: float = 0.1, workers: int = 1) -> Clock:
    return Clock(left=left, budget=100.0, spent=spent, workers=workers)


def schedule(rounds: int | None = None, *, searched: bool = True) -> Schedule:
    spaces = {"swift": Searched(space={"x": Real(0, 1)})} if searched else {}
    return Schedule(PORTFOLIO, Exploration(spaces, "random", seed=0), folds=FOLDS, rounds=rounds)


def finish(plan: Schedule, unit: Unit, loss: float = 0.5, seconds: float = 1.0, size: int = 10) -> None:
    unit.trial.submitted += 1
    unit.trial.results[unit.fold] = FoldResult(loss=loss, seconds=seconds, bytes=size, learned={})
    plan.settle(unit.trial)


def walk(plan: Schedule, steps: int, now: Clock) -> list[tuple[str, int]]:
    done = []
    for _ in range(steps):
        unit = plan.next(now, [trial for trial in plan.trials if trial.usable])
        if unit is None:
            break
        finish(plan, unit)
        done.append((unit.trial.candidate.learner, unit.fold))
    return done


def test_breadth_then_depth_then_search() -> None:
    done = walk(schedule(), 14, clock())
    assert [fold for _, fold in done] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 1]
    assert [learner for learner, _ in done[:3]] == ["swift", "swift", "slow"]


def test_late_in_the_budget_the_best_get_solid_before_others_begin() -> None:
    plan = schedule()
    finish(plan, plan.next(clock(), []))
    assert plan.next(clock(spent=0.5), plan.trials).fold == 1


def test_a_learner_that_is_too_slow_for_the_time_left_is_not_begun() -> None:
    plan = schedule()
    finish(plan, plan.next(clock(), []), seconds=50.0)
    unit = plan.next(clock(left=20.0), plan.trials)
    assert unit.trial.candidate.learner == "slow"
    assert plan.trials[1].state == "out of time"
    assert "about 50 s and 20 s were left" in plan.trials[1].reason


def test_nothing_is_begun_when_the_time_is_over() -> None:
    assert schedule().next(clock(left=0.1), []) is None


@pytest.mark.parametrize("left", [0.5, 3.0, 40.0])
def test_no_fold_may_take_longer_than_what_is_left(left: float) -> None:
    plan = schedule()
    for _ in range(9):
        unit = plan.next(clock(left=left), plan.trials)
        if unit is None:
            break
        assert unit.seconds <= max(1.0, left)
        finish(plan, unit, seconds=0.2)


def test_what_is_fitted_once_may_take_all_the_time_where_nothing_waits_behind_it() -> None:
    once = [Candidate(learner=name, once=True, share=0.6) for name in ("first", "second")]
    plan = Schedule(once, Exploration({}, "random", seed=0), folds=FOLDS)
    for most in (60.0, 98.0):
        unit = plan.next(clock(left=100.0), plan.trials)
        assert unit.seconds == pytest.approx(most)
        finish(plan, unit)


def test_rounds_are_candidates_on_all_folds() -> None:
    done = walk(schedule(rounds=5), 100, clock(left=math.inf))
    assert len(done) == 5 * FOLDS


def test_in_rounds_a_searcher_is_asked_only_when_all_is_finished() -> None:
    plan = schedule(rounds=4)
    units = []
    while (unit := plan.next(clock(left=math.inf), [])) is not None:
        unit.trial.submitted += 1
        units.append(unit)
    assert len(units) == 3 * FOLDS
    for unit in units:
        unit.trial.results[unit.fold] = FoldResult(loss=0.5, seconds=1.0, learned={})
        plan.settle(unit.trial)
    assert plan.next(clock(left=math.inf), []).trial.candidate.origin == "search"


def test_a_space_without_end_of_repeats_is_left() -> None:
    plan = Schedule([], Exploration({}, "random", seed=0), folds=FOLDS, rounds=3)
    assert plan.next(clock(left=math.inf), []) is None


def test_seeds_are_their_own_and_stay() -> None:
    seeds = {seed_of(1, candidate.key, fold) for candidate in PORTFOLIO for fold in (None, 0, 1)}
    assert len(seeds) == 9
    assert seed_of(1, "a", 0) == seed_of(1, "a", 0) != seed_of(2, "a", 0)


def test_half_of_the_trials_decide_on_how_many_folds_they_are_compared() -> None:
    def with_depth(depth: int) -> Trial:
        result = FoldResult(loss=0.1, seconds=1.0, learned={})
        return Trial(candidate=PORTFOLIO[0], results=dict.fromkeys(range(depth), result))

    assert common_depth([with_depth(depth) for depth in (1, 4, 4)], 8) == 4
    assert common_depth([with_depth(depth) for depth in (1, 1, 4)], 8) == 1
    assert common_depth([with_depth(24)], 8) == 8


def members(count: int, depth: int, size: int) -> Standing:
    result = FoldResult(loss=0.1, seconds=2.0, learned={"rounds": 10}, bytes=size)
    trials = tuple(
        Trial(candidate=Candidate(learner=f"l{place}"), results=dict.fromkeys(range(depth), result))
        for place in range(count)
    )
    weights = np.full(count, 1 / count)
    return Standing(members=trials, weights=weights, depth=depth, rows=np.arange(3), prediction=np.zeros(3), loss=0.1)


def rows() -> Rows:
    folds = np.tile(np.arange(8), 10)[None].astype(np.int16)
    task = Task(kind="regression", target="y", inputs=(), metric="rmse")
    return Rows(task=task, schema=None, table=None, target=np.zeros(80), weight=None, folds=folds)


def kept(standing: Standing) -> list[int]:
    """How many fold models stay of each member; 0 where it learns again."""
    end = ending(standing, rows(), workers=1)
    again = {trial.candidate.key for trial in end.refit}
    keys = [trial.candidate.key for trial in standing.members]
    return [0 if key in again else end.kept[key] for key in keys]


def test_small_fold_models_stay_and_large_ones_are_collapsed() -> None:
    assert kept(members(1, 8, 1000)) == [min(8, MOST_MODELS)]
    assert kept(members(2, 8, 1000)) == [MOST_MODELS // 2] * 2
    large = ending(members(2, 8, MOST_BYTES // 3), rows(), workers=1)
    assert len(large.refit) == 2
    assert large.seconds > 4.0
    assert ending(members(2, 8, MOST_BYTES // 3), rows(), workers=2).seconds < large.seconds


def test_the_heaviest_members_keep_their_fold_models_where_not_all_can() -> None:
    """By number, and by size; one with too few folds learns again."""
    assert kept(members(6, 8, 1000)) == [3, 0, 0, 0, 0, 0]
    assert kept(replace(members(3, 8, 1000), weights=np.array([0.1, 0.3, 0.6]))) == [0, 3, 3]
    assert kept(members(2, 8, MOST_BYTES // 5)) == [4, 0]
    first, second = members(2, 8, 1000).members
    shallow = replace(
        members(2, 2, 1000), members=(replace(first, results=dict(list(first.results.items())[:2])), second)
    )
    assert kept(shallow) == [0, 7]


def test_fold_models_of_large_networks_do_not_stay() -> None:
    """A network of tens of megabytes is read once a row; the tables of an encoding are no network."""

    def with_tensors(size: int) -> Standing:
        standing = members(1, 8, 1000)
        results = {fold: replace(one, tensors=size, bytes=size) for fold, one in standing.members[0].results.items()}
        return replace(standing, members=(replace(standing.members[0], results=results),))

    assert kept(with_tensors(2_000)) == [8]
    assert kept(with_tensors(90_000_000)) == [0]


def test_a_holdout_learns_again_from_all_rows() -> None:
    assert len(ending(members(3, 1, 1000), rows(), workers=1).refit) == 3


def test_a_refit_is_told_what_the_folds_found_out() -> None:
    results = {
        place: FoldResult(loss=0.1, seconds=1.0, learned={"rounds": rounds, "kind": "a", "rate": rate})
        for place, (rounds, rate) in enumerate([(10, 0.5), (21, 1.0)])
    }
    trial = Trial(candidate=Candidate(learner="l", parameters={"depth": 3, "rounds": 500}), results=results)
    assert refit_candidate(trial, rows()).parameters == {"depth": 3, "rounds": 16, "kind": "a", "rate": 0.75}


def classes(counts: list[int]) -> tuple[Task, np.ndarray]:
    names = tuple(str(place) for place in range(len(counts)))
    kind = "binary" if len(counts) == 2 else "multiclass"
    task = Task(kind=kind, target="y", inputs=(), metric="log_loss", classes=names)
    return task, np.repeat(np.arange(len(counts)), counts)


def test_every_row_is_judged_once_a_repeat() -> None:
    task, target = classes([200, 100])
    folds = divide(task, target, None, seed=0, repeat=True)
    assert folds.shape == (3, 300)
    assert folds.min() == 0
    assert not np.array_equal(folds[0], folds[1])
    assert divide(task, target, None, seed=0, repeat=False).shape == (1, 300)


def test_there_are_no_more_folds_than_the_rarest_class_has_rows() -> None:
    task, target = classes([200, 3])
    folds = divide(task, target, None, seed=0, repeat=False)
    assert folds.max() + 1 == 3
    assert all((target[folds[0] != place] == 1).any() for place in range(3))


def test_few_rows_and_many_rows_are_divided() -> None:
    task, target = classes([2, 2])
    assert divide(task, target, None, seed=0, repeat=False).max() + 1 == 2
    task, target = classes([100_000, 100_000])
    assert divide(task, target, None, seed=0, repeat=True).max() + 1 == 20


def test_groups_stay_together() -> None:
    task, target = classes([30, 30])
    groups = np.arange(60) // 4
    folds = divide(task, target, groups, seed=0, repeat=False)[0]
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))


@pytest.mark.parametrize(("sizes", "seconds"), [([1_336, 9_692], 0.0), ([1_336, 90_000_000], 10.5), ([10**9], 15.0)])
def test_time_is_kept_for_writing_networks_and_for_nothing_else(sizes: list[int], seconds: float) -> None:
    """The arrays of an encoding are no network: a fit of a table would end a tenth of its budget early."""
    from luban.search.course import Course

    members = [SimpleNamespace(results={0: with_tensors(size)}) for size in sizes]
    course = SimpleNamespace(standing=SimpleNamespace(members=members), plan=SimpleNamespace(timed=True, budget=100.0))
    assert Course.writing_seconds(course) == seconds


def with_tensors(size: int) -> FoldResult:
    return FoldResult(loss=0.1, seconds=1.0, learned={}, tensors=size)


@pytest.mark.parametrize(("read", "stands"), [(None, True), (40, True), (39, False)])
def test_a_refit_that_read_fewer_rows_than_a_fold_does_not_stand(
    read: int | None, stands: bool, tmp_path: Path
) -> None:
    """A learner that learns from as many rows as there is time for may have had less of it in the end."""
    from luban.search import finish, scratch

    def result(rows_read: int | None) -> scratch.FoldResult:
        return scratch.FoldResult(loss=0.1, seconds=1.0, learned={}, rows_read=rows_read)

    course = SimpleNamespace(
        folder=tmp_path, rows=SimpleNamespace(target=np.zeros(100), learnt=lambda _fold: np.zeros(80))
    )
    trial = SimpleNamespace(results={0: result(40), 1: result(30)})
    scratch.write_result(tmp_path, "key", None, result(read), None, {})
    assert finish._is_whole(course, trial, SimpleNamespace(key="key")) == stands
