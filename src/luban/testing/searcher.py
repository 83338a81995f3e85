"""What every searcher must do; run it over one of your own with `check_searcher`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Searcher
from luban.core.space import Choice, Integer, Real

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.space import Space

SPACE: Space = {
    "rate": Real(0.001, 1.0, log=True),
    "share": Real(0.5, 1.0),
    "leaves": Integer(2, 64, log=True),
    "depth": Integer(1, 4),
    "kind": Choice(("plain", "ordered", None, True)),
}
TRIALS = 30


def check_searcher(make: Callable[..., Searcher]) -> None:
    """Raise AssertionError where a searcher breaks the protocol.

    Parameters
    ----------
    make : callable
        The class: called as ``make(space, seed=0)``.
    """
    searcher = make(SPACE, seed=0)
    assert isinstance(searcher, Searcher), "it lacks a method of the protocol Searcher"
    numbers = []
    for place in range(TRIALS):
        asked = searcher.ask()
        assert asked is not None, f"a space of this size is not exhausted after {place} trials"
        number, parameters = asked
        numbers.append(number)
        check_inside(SPACE, parameters)
        _tell(searcher, number, parameters, place)
    assert len(set(numbers)) == TRIALS, "each trial has a number of its own"
    _check_repeatable(make)
    _check_several_at_once(make)
    assert make({}, seed=0).ask() is None, "an empty space is exhausted at once"


def check_inside(space: Space, parameters: Mapping[str, Any]) -> None:
    """Raise AssertionError where parameters are not one value of each distribution."""
    assert set(parameters) == set(space), "there is one value for each parameter of the space"
    for name, value in parameters.items():
        one = space[name]
        if isinstance(one, Choice):
            assert value in one.values, f"{name} is one of the values to choose from"
        else:
            assert one.low <= value <= one.high, f"{name} is within its bounds"
            assert isinstance(value, int if isinstance(one, Integer) else float), f"{name} has the type of its scale"


def _tell(searcher: Searcher, number: int, parameters: Mapping[str, Any], place: int) -> None:
    """Tell a loss, that a trial was pruned, that it failed, and a loss that is no number, in turn."""
    loss = abs(math.log(parameters["rate"] / 0.05)) + parameters["share"]
    stops = searcher.prune(number, 0, loss)
    assert isinstance(stops, bool), "prune returns whether to stop"
    if stops or place % 7 == 5:
        searcher.tell(number, None)
    elif place % 7 == 6:
        searcher.tell(number, math.nan)
    else:
        searcher.prune(number, 1, loss)
        searcher.tell(number, loss)


def _check_repeatable(make: Callable[..., Searcher]) -> None:
    walks = []
    for _ in range(2):
        searcher = make(SPACE, seed=3)
        walk = []
        for place in range(TRIALS):
            asked = searcher.ask()
            assert asked is not None
            walk.append(dict(asked[1]))
            _tell(searcher, asked[0], asked[1], place)
        walks.append(walk)
    assert walks[0] == walks[1], "the same seed and the same losses lead the same way"


def _check_several_at_once(make: Callable[..., Searcher]) -> None:
    searcher = make(SPACE, seed=1)
    open_trials = [searcher.ask() for _ in range(4)]
    assert all(asked is not None for asked in open_trials), "several trials may be open at once"
    for place, asked in enumerate(reversed(open_trials)):
        assert asked is not None
        _tell(searcher, asked[0], asked[1], place)
    assert searcher.ask() is not None, "and may be told in any order"
