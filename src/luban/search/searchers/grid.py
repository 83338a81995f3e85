"""Grid search: every combination of a few values of each parameter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.space import Choice, Integer
from luban.search.pruning.median import MedianRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.space import Distribution, Space

# Numbers a parameter is divided into, ends included.
POINTS = 3


class GridSearcher:
    """Walks the whole grid once, in an order that the seed shuffles: any beginning of it is spread over the space.

    Parameters
    ----------
    space : Space
    seed : int
    points : int
        How many values of a number are tried; of a choice all are.
    rule : callable, optional
        When to give a trial up; the median rule by default.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        points: int = POINTS,
        rule: Callable[[int, int, float], bool] | None = None,
    ) -> None:
        self._values = {name: grid(one, points) for name, one in space.items()}
        self._size = math.prod(len(values) for values in self._values.values()) if space else 0
        self._count = 0
        self._rule = rule or MedianRule()
        # A walk in steps that share no factor with the size visits every point once, and needs no list of them all.
        generator = np.random.default_rng(seed)
        self._start = int(generator.integers(max(1, self._size)))
        self._step = _step(self._size, generator)

    def __len__(self) -> int:
        return self._size

    def ask(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return (number of the trial, parameters), or None when all points have been tried."""
        if self._count >= self._size:
            return None
        point = (self._start + self._count * self._step) % self._size
        self._count += 1
        parameters = {}
        for name, values in self._values.items():
            point, place = divmod(point, len(values))
            parameters[name] = values[place]
        return self._count - 1, parameters

    def tell(self, trial: int, loss: float | None) -> None:
        """Take the loss of a trial; the walk does not depend on it."""

    def prune(self, trial: int, step: int, loss: float) -> bool:
        """Return whether the rule gives the trial up."""
        return self._rule(trial, step, loss)


def grid(distribution: Distribution, points: int) -> list[Any]:
    """Return the values of one parameter: all of a choice, evenly spaced ones (on its scale) of a number."""
    if isinstance(distribution, Choice):
        return list(distribution.values)
    if distribution.log:
        values = np.geomspace(distribution.low, distribution.high, points)
    else:
        values = np.linspace(distribution.low, distribution.high, points)
    values = np.clip(values, distribution.low, distribution.high)
    if isinstance(distribution, Integer):
        return sorted({round(value) for value in values})
    return sorted({float(value) for value in values})


def _step(size: int, generator: np.random.Generator) -> int:
    if size < 3:
        return 1
    step = int(size * generator.uniform(0.38, 0.62))
    while math.gcd(step, size) != 1:
        step += 1
    return step
