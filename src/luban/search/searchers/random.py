"""Random search: independent draws (Bergstra and Bengio, 2012)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.space import Choice, Integer
from luban.search.pruning.median import MedianRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.space import Distribution, Space


class RandomSearcher:
    """Draws each parameter by itself, evenly on its scale.

    Parameters
    ----------
    space : Space
    seed : int
    rule : callable, optional
        When to give a trial up; the median rule by default.
    """

    def __init__(self, space: Space, *, seed: int = 0, rule: Callable[[int, int, float], bool] | None = None) -> None:
        self._space = space
        self._generator = np.random.default_rng(seed)
        self._rule = rule or MedianRule()
        self._count = 0

    def ask(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return (number of the trial, parameters), or None for an empty space."""
        if not self._space:
            return None
        self._count += 1
        return self._count - 1, {name: draw(one, self._generator) for name, one in self._space.items()}

    def tell(self, trial: int, loss: float | None) -> None:
        """Take the loss of a trial; the next draws do not depend on it."""

    def prune(self, trial: int, step: int, loss: float) -> bool:
        """Return whether the rule gives the trial up."""
        return self._rule(trial, step, loss)


def draw(distribution: Distribution, generator: np.random.Generator) -> Any:
    """Return one value of a distribution."""
    if isinstance(distribution, Choice):
        return distribution.values[int(generator.integers(len(distribution.values)))]
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, Integer):
        # Half a step on both sides, so that the ends are drawn as often as the rest.
        value = _on_scale(
            max(low - 0.5, 0.5) if distribution.log else low - 0.5, high + 0.5, distribution.log, generator
        )
        return int(min(max(round(value), distribution.low), distribution.high))
    return min(max(_on_scale(low, high, distribution.log, generator), low), high)


def _on_scale(low: float, high: float, log: bool, generator: np.random.Generator) -> float:
    if log:
        return math.exp(generator.uniform(math.log(low), math.log(high)))
    return float(generator.uniform(low, high))
