"""Give every trial a little, the better third of them three times as much, and so on."""

from __future__ import annotations

import math
from collections import defaultdict


class HyperbandRule:
    """Stops a trial at a rung unless it is among the best ``1 / factor`` that have reached it.

    Trials are dealt to brackets in turn; bracket b has its first rung at ``least * factor ** b`` steps, so that slow
    starters have a chance in some bracket.

    Parameters
    ----------
    least, most : int
        The first rung, and the steps of a whole trial.
    factor : int
        How many trials compete for one place.

    Notes
    -----
    Li et al. (2018), Hyperband, in the asynchronous form of Li et al. (2020), A system for massively parallel
    hyperparameter tuning: a trial is judged when it comes to a rung, by those that came before.

    Examples
    --------
    >>> rule = HyperbandRule(least=1, most=9, factor=3, brackets=1)
    >>> [rule(trial, 1, loss) for trial, loss in enumerate([0.5, 0.4, 0.6, 0.3])]
    [False, False, True, False]
    """

    def __init__(self, least: int = 1, most: int = 9, factor: int = 3, brackets: int | None = None) -> None:
        self._rungs = [least * factor**power for power in range(max(1, _powers(least, most, factor)))]
        self._factor = factor
        self._brackets = max(1, min(len(self._rungs), brackets or len(self._rungs)))
        self._at: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        self._passed: defaultdict[int, set[int]] = defaultdict(set)

    def __call__(self, trial: int, step: int, loss: float) -> bool:
        """Take the loss of a trial at a step and return whether it should stop."""
        bracket = trial % self._brackets
        for rung in self._rungs[bracket:]:
            if step < rung or rung in self._passed[trial]:
                continue
            self._passed[trial].add(rung)
            reached = self._at[bracket, rung]
            reached.append(math.inf if math.isnan(loss) else loss)
            # The first ones have nobody to compete with, and go on.
            places = max(1, len(reached) // self._factor)
            if loss > sorted(reached)[places - 1]:
                return True
        return False


def _powers(least: int, most: int, factor: int) -> int:
    return math.floor(math.log(max(1.0, most / least), factor) + 1e-9)
