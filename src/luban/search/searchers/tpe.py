"""The tree-structured Parzen estimator, through Optuna (Bergstra et al., 2011; Watanabe, 2023)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from luban.core.space import Choice, Integer
from luban.search.pruning.median import MedianRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import optuna
    from optuna.distributions import BaseDistribution

    from luban.core.space import Distribution, Space

# Draws before the estimator takes over.
STARTUP = 8


class TPESearcher:
    """Draws where trials that went well are dense against those that did not, all parameters together.

    Parameters
    ----------
    space : Space
    seed : int
    rule : callable, optional
        When to give a trial up; the median rule by default.
    """

    def __init__(self, space: Space, *, seed: int = 0, rule: Callable[[int, int, float], bool] | None = None) -> None:
        import optuna  # heavy, and needed by this searcher alone

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._state = optuna.trial.TrialState
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True)
        self._study = optuna.create_study(sampler=sampler)
        # Choices are numbered, because Optuna takes only some types of values.
        self._space = space
        self._distributions = {name: _distribution(one) for name, one in space.items()}
        self._rule = rule or MedianRule()
        self._open: dict[int, optuna.Trial] = {}
        self._pruned: set[int] = set()

    def ask(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return (number of the trial, parameters), or None for an empty space."""
        if not self._space:
            return None
        trial = self._study.ask(self._distributions)
        self._open[trial.number] = trial
        return trial.number, {name: _value(self._space[name], value) for name, value in trial.params.items()}

    def tell(self, trial: int, loss: float | None) -> None:
        """Report the loss of a trial, or None (or no finite number) where it failed or was pruned."""
        opened = self._open.pop(trial)
        if loss is not None and math.isfinite(loss):
            self._study.tell(opened, loss)
        elif trial in self._pruned:
            # The estimator counts a pruned trial among the bad ones, by its intermediate losses.
            self._study.tell(opened, state=self._state.PRUNED)
        else:
            self._study.tell(opened, state=self._state.FAIL)

    def prune(self, trial: int, step: int, loss: float) -> bool:
        """Return whether the rule gives the trial up."""
        if math.isfinite(loss):
            self._open[trial].report(loss, step)
        stops = self._rule(trial, step, loss)
        if stops:
            self._pruned.add(trial)
        return stops


def _distribution(one: Distribution) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(one, Choice):
        return CategoricalDistribution(tuple(range(len(one.values))))
    if isinstance(one, Integer):
        return IntDistribution(one.low, one.high, log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _value(one: Distribution, value: Any) -> Any:
    return one.values[value] if isinstance(one, Choice) else value
