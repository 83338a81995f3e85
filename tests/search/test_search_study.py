"""A study finds an ensemble, keeps its rows apart, and says what became of every candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from search_problems import problem

from luban.core.errors import InputError, LubanError, NotFound
from luban.core.recipe import Recipe
from luban.core.serial import from_json, to_json
from luban.search.result import StudyEvent, StudyResult

Run = Callable[..., StudyResult]
RIDGE = "search_learners:Ridge"


@pytest.mark.parametrize(
    ("name", "changes", "at_least"),
    [
        ("breast_cancer", {}, 0.97),
        ("breast_cancer", {"metric": "f1"}, 0.9),
        ("wine", {"metric": "accuracy"}, 0.9),
        ("diabetes", {"metric": "r2"}, 0.4),
    ],
)
def test_every_kind_of_task(study: Run, name: str, changes: dict[str, Any], at_least: float) -> None:
    result = study(name, changes=changes, rounds=4)
    assert result.score > at_least
    assert len(result.predictions) == len(result.target) == len(result.rows) == len(problem(name)["target"])
    assert sum(line.weight for line in result.leaderboard) == pytest.approx(1.0)
    assert not result.interrupted


def test_quantiles_are_shifted_to_cover(study: Run) -> None:
    changes = {"kind": "quantile", "metric": "pinball", "quantiles": (0.1, 0.5, 0.9)}
    result = study("diabetes", changes=changes, rounds=3)
    covered = (result.target[:, None] <= result.predictions).mean(axis=0)
    assert np.abs(covered - [0.1, 0.5, 0.9]).max() < 0.05
    assert len(result.composite.shifts) == 3


def test_the_score_is_of_rows_not_seen(study: Run) -> None:
    """The target is noise: a score of rows that were learnt from would show skill."""
    noise = np.random.default_rng(0).integers(0, 2, len(problem()["target"]))
    assert abs(study(target=noise, rounds=3).score - 0.5) < 0.1


def test_predictions_are_out_of_fold_and_in_the_order_of_the_rows(study: Run) -> None:
    """The composite of all rows and the predictions out of fold agree but are not the same."""
    result = study(rounds=2)
    whole = result.composite.predict(problem()["table"])
    assert np.array_equal(result.rows, np.arange(len(whole)))
    assert np.corrcoef(whole[:, 1], result.predictions[:, 1])[0, 1] > 0.9
    assert np.abs(whole - result.predictions).max() > 1e-6


def test_failures_are_on_the_leaderboard_in_words(study: Run) -> None:
    names = [f"search_learners:{name}" for name in ("Ridge", "Broken", "Elsewhere")]
    result = study(rounds=6, learners=names)
    by_learner = {line.learner.partition(":")[2]: line for line in result.leaderboard}
    assert (by_learner["Broken"].state, by_learner["Broken"].reason) == ("failed", "the wheel came off")
    assert (by_learner["Elsewhere"].state, by_learner["Elsewhere"].reason) == ("unsuitable", "it is for pictures only")
    assert by_learner["Ridge"].score is not None
    assert result.leaderboard[0].learner == RIDGE


def test_when_all_fail_the_reasons_are_told(study: Run) -> None:
    with pytest.raises(LubanError, match="the wheel came off"):
        study(rounds=2, learners=["search_learners:Broken"])
    with pytest.raises(LubanError, match="it is for pictures only"):
        study(rounds=2, learners=["search_learners:Elsewhere"])


def test_a_member_that_cannot_learn_from_all_rows_keeps_its_fold_models(study: Run) -> None:
    result = study(rounds=2, learners=["search_learners:LateBroken"])
    assert result.score > 0.97
    assert all(step.parameters.get("learnt_from") != "all rows" for step in result.recipe.steps)


def test_groups_are_never_on_both_sides(study: Run) -> None:
    """Pairs of equal rows with a random target: only a model that has seen the twin could know it."""
    one = problem()
    rows = np.repeat(np.arange(120), 2)
    target = np.repeat(np.random.default_rng(1).integers(0, 2, 120), 2)
    result = study(table=one["table"].take(rows), target=target, groups=rows, rounds=3)
    assert abs(result.score - 0.5) < 0.15


def test_the_recipe_survives_json(study: Run) -> None:
    result = study(rounds=3)
    assert from_json(Recipe, to_json(result.recipe)) == from_json(
        Recipe, to_json(from_json(Recipe, to_json(result.recipe)))
    )
    assert result.recipe.steps[-1].component == "ensemble"
    assert set(result.recipe.steps[-1].inputs) == {step.name for step in result.recipe.steps[:-1]}


def test_events_tell_of_the_first_model_and_of_progress(study: Run) -> None:
    heard: list[StudyEvent] = []
    study(rounds=3, on_event=heard.append)
    assert "model" in [event.kind for event in heard]
    assert [event.done for event in heard] == sorted(event.done for event in heard)
    assert heard[-1].score is not None


@pytest.mark.parametrize("searcher", ["tpe", "random", "grid"])
def test_searchers_go_beyond_the_portfolio(study: Run, searcher: str) -> None:
    """Ridge's portfolio has two candidates; a grid of its one parameter has three points."""
    result = study(rounds=5, searcher=searcher)
    assert len(result.leaderboard) == 5
    assert len({line.parameters for line in result.leaderboard}) == 5


def test_a_searcher_that_does_not_exist_is_told_before_any_work(study: Run) -> None:
    with pytest.raises(NotFound, match="tpe"):
        study(rounds=3, searcher="tpee")


def test_a_learner_can_be_left_out(study: Run) -> None:
    with pytest.raises(LubanError, match="left out on request"):
        study(rounds=1, learners=[RIDGE], exclude=[RIDGE])


def test_weights_reach_the_learners(study: Run) -> None:
    result = study(rounds=2, learners=["search_learners:Weighted"], weight=np.full(len(problem()["target"]), 3.0))
    assert result.score > 0.9


def test_resuming_another_study_is_refused(study: Run) -> None:
    study(rounds=2)
    with pytest.raises(InputError, match="another content"):
        study(rounds=2, resume=True, target=1 - problem()["target"])
    with pytest.raises(InputError, match="another seed"):
        study(rounds=2, resume=True, seed=5)
