"""Searchers keep the protocol, and do what their names promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luban.core import plugins
from luban.core.space import Choice, Integer, Real
from luban.search.pruning.hyperband import HyperbandRule
from luban.search.pruning.median import MedianRule
from luban.search.searchers.grid import GridSearcher
from luban.search.searchers.random import RandomSearcher, draw
from luban.search.searchers.tpe import TPESearcher
from luban.testing.searcher import check_searcher


@pytest.mark.parametrize("name", plugins.names("searchers"))
def test_built_in_searchers_keep_the_protocol(name: str) -> None:
    check_searcher(plugins.load("searchers", name))


@given(low=st.integers(1, 50), width=st.integers(0, 50), log=st.booleans(), seed=st.integers(0, 99))
def test_draws_stay_inside(low: int, width: int, log: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    assert low <= draw(Integer(low, low + width, log=log), generator) <= low + width
    assert low <= draw(Real(low, low + width, log=log), generator) <= low + width


def test_the_ends_of_whole_numbers_are_drawn_as_often_as_the_middle() -> None:
    generator = np.random.default_rng(0)
    counts = np.bincount([draw(Integer(1, 4), generator) for _ in range(8000)], minlength=5)[1:]
    assert counts.min() > 0.9 * counts.max()


def test_a_grid_visits_every_point_once() -> None:
    space = {"a": Real(0, 1), "b": Choice(("x", "y", "z", "w")), "c": Integer(1, 2)}
    searcher = GridSearcher(space, seed=4)
    points = []
    while (asked := searcher.ask()) is not None:
        points.append(tuple(asked[1].values()))
    assert len(points) == len(set(points)) == len(searcher) == 3 * 4 * 2


def _best_of(searcher: RandomSearcher | TPESearcher, trials: int) -> float:
    best = np.inf
    for _ in range(trials):
        asked = searcher.ask()
        assert asked is not None
        number, parameters = asked
        loss = sum((value - 0.3) ** 2 for value in parameters.values())
        searcher.tell(number, loss)
        best = min(best, loss)
    return best


def test_the_estimator_beats_chance() -> None:
    """On a bowl in five dimensions, over several seeds."""
    space = {f"x{place}": Real(0, 1) for place in range(5)}
    estimator = np.median([_best_of(TPESearcher(space, seed=seed), 60) for seed in range(5)])
    chance = np.median([_best_of(RandomSearcher(space, seed=seed), 60) for seed in range(5)])
    assert estimator < 0.6 * chance


def test_the_median_rule_stops_the_worse_half() -> None:
    rule = MedianRule(startup=4)
    assert [rule(trial, 0, float(trial)) for trial in range(4)] == [False] * 4
    assert rule(4, 0, 3.0)
    assert not rule(5, 0, 1.0)
    assert not rule(6, 1, 99.0), "nobody has been at this step before"


def test_the_median_rule_judges_by_the_best_so_far() -> None:
    rule = MedianRule(startup=2)
    for trial in range(3):
        rule(trial, 0, 1.0)
        rule(trial, 1, 0.5)
    rule(9, 0, 0.4)
    assert not rule(9, 1, 5.0)


def test_hyperband_leaves_a_third_at_each_rung() -> None:
    rule = HyperbandRule(least=1, most=27, factor=3, brackets=1)
    generator = np.random.default_rng(0)
    losses = generator.random(300)
    alive = {trial for trial in range(300) if not rule(trial, 1, losses[trial])}
    assert 0.25 < len(alive) / 300 < 0.45
    assert int(np.argmin(losses)) in alive


def test_hyperbands_brackets_give_slow_starters_time() -> None:
    rule = HyperbandRule(least=1, most=9, factor=3)
    assert not any(rule(2 * trial + 1, 1, 9.0) for trial in range(30)), "the second bracket begins at step 3"
