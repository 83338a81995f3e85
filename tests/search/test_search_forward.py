"""Folds that go forward in time: what learns is earlier than what judges, and what is judged is late."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some
from search_problems import problem

from luban.core.errors import InputError
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.search.candidate import Candidate
from luban.search.final import ending, refit_candidate
from luban.search.folding import divide_forward
from luban.search.scratch import FoldResult, Rows
from luban.search.standing import Standing
from luban.search.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.search.result import StudyResult

NUMBER = Task(kind="regression", target="y", inputs=("x",), metric="rmse")
BINARY = replace(NUMBER, kind="binary", metric="roc_auc", classes=("no", "yes"))


def rows_of(task: Task, target: np.ndarray, moments: np.ndarray) -> Rows:
    folds = divide_forward(task, target, moments)
    return Rows(task=task, schema=None, table=None, target=target, weight=None, folds=folds, forward=True)


@given(some.lists(some.integers(0, 12), min_size=5, max_size=40).filter(lambda one: len(set(one)) > 1))
def test_all_that_learns_is_earlier_than_all_that_judges(times: list[int]) -> None:
    moments = np.array(times * 2)  # a moment of a single row would judge nothing
    rows = rows_of(NUMBER, np.arange(len(moments), dtype=float), moments)
    seen: set[int] = set()
    for fold in range(rows.folds_a_repeat):
        learnt, judged = rows.learnt(fold), rows.judged(fold)
        assert len(learnt)
        assert len(judged)
        assert moments[learnt].max() < moments[judged].min()
        assert not seen.intersection(judged)
        seen.update(judged.tolist())
    assert moments[rows.judged(0)].max() == moments.max(), "the latest rows judge first"


def test_the_earlier_half_is_judged_by_nobody_and_the_first_fold_learns_from_nine_tenths() -> None:
    rows = rows_of(NUMBER, np.arange(100.0), np.random.default_rng(0).permutation(100))
    assert (rows.folds == -1).sum() == 50
    assert [len(rows.learnt(fold)) for fold in range(rows.folds_a_repeat)] == [90, 80, 70, 60, 50]


def test_a_part_of_one_class_is_judged_with_the_part_before_it() -> None:
    target = np.tile([0, 1], 50)
    target[90:] = 1
    rows = rows_of(BINARY, target, np.arange(100))
    assert rows.judged(0).min() == 80
    assert rows.learnt(0).max() == 79
    assert all(len(np.unique(target[rows.judged(fold)])) == 2 for fold in range(rows.folds_a_repeat))


def test_a_target_that_never_changes_late_is_told() -> None:
    with pytest.raises(InputError, match="no late part"):
        divide_forward(BINARY, (np.arange(100) < 30).astype(int), np.arange(100))


def test_members_learn_again_from_all_rows_with_what_the_latest_fold_found_out() -> None:
    """Means over folds would tell of models that learnt from fewer rows, and small fold models would be kept."""
    rows = rows_of(NUMBER, np.arange(100.0), np.arange(100))
    results = {
        fold: FoldResult(loss=0.1, seconds=1.0, bytes=10, learned={"rounds": 100 - 10 * fold}) for fold in range(5)
    }
    trial = Trial(candidate=Candidate(learner="l"), results=results)
    standing = Standing(
        members=(trial,), weights=np.ones(1), depth=5, rows=np.arange(50, 100), prediction=np.zeros(50), loss=0.1
    )
    assert ending(standing, rows, workers=1).refit == (trial,)
    assert refit_candidate(trial, rows).parameters == {"rounds": 100}


def drifting(rows: int = 1320) -> dict[str, Any]:
    """A level that rises, and an input that tells the time: random folds look the level up, later rows cannot."""
    random = np.random.default_rng(3)
    time = np.arange(rows)
    features = {"x0": time + random.normal(size=rows), "x1": random.normal(size=rows)}
    target = 0.02 * time + features["x1"] + 0.1 * random.normal(size=rows)
    names = tuple(features)
    return {
        "task": replace(NUMBER, inputs=names),
        "schema": Schema(columns=tuple(Column(name=name, kind="number", storage="double") for name in names)),
        "table": pa.table(features),
        "target": target,
    }


def test_in_time_the_score_is_that_of_later_rows_and_a_random_one_is_not(
    study: Callable[..., StudyResult],
) -> None:
    whole = drifting()
    past, future = np.arange(1200), np.arange(1200, 1320)
    given: dict[str, Any] = {
        **whole,
        "table": whole["table"].take(past),
        "target": whole["target"][past],
        "learners": ["nearest_neighbours"],
        "rounds": 1,
    }
    scores = {}
    for name, moments in (("random", None), ("forward", past)):
        found = study(**given, moments=moments)
        answer = found.composite.predict(whole["table"].take(future))
        scores[name] = (found.score, float(np.sqrt(np.mean((answer - whole["target"][future]) ** 2))))
    assert scores["random"][0] < 0.5 * scores["random"][1], "the random score promises what later rows do not hold"
    assert 0.7 < scores["forward"][0] / scores["forward"][1] < 1.4, "the score in time is honest"


def test_a_study_in_time_scores_calibrates_and_lists_with_rows_that_nobody_judged(
    study: Callable[..., StudyResult],
) -> None:
    for name in ("breast_cancer", "wine", "diabetes"):
        size = len(problem(name)["target"])
        moments = np.random.default_rng(0).permutation(size) // 3
        found = study(name, moments=moments, rounds=3, learners=["search_learners:Ridge", "constant"])
        assert len(found.rows) == len(found.predictions) == len(found.target) < 0.6 * size
        assert moments[found.rows].min() > np.delete(moments, found.rows).max()
        assert [line.folds for line in found.leaderboard if line.state == "finished"] == [5, 5, 5]
        assert np.isfinite(found.score)
        assert found.recipe.steps[-1].parameters["forward_in_time"]
