"""Boosted trees that go on learning: trees are added that mend what the model gets wrong on new rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from luban.learners import link
from luban.learners.new_rows import FEWEST, HELD, part
from luban.learners.tabular.encoded import ExplainableKernel, ExplainableModel

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.modalities.tabular.encoding import Encoding

_PATIENCE = 20
_MOST = 500  # rounds


class ContinuingKernel(ExplainableKernel, Protocol):
    """A kernel that can be boosted further."""

    def boosted(
        self,
        task: Task,
        encoding: Encoding,
        features: np.ndarray,
        examples: Examples,
        held: tuple[np.ndarray, Examples] | None,
        *,
        rounds: int,
        goes_on: Callable[[int, float], bool],
        effort: Effort,
    ) -> ContinuingKernel:
        """Return a kernel with up to so many rounds more, learnt from these rows.

        Parameters
        ----------
        held : tuple, optional
            Features and examples; ``goes_on(rounds, loss)`` is told the loss on them before the first round, and
            after each.
        """


@dataclass(frozen=True, kw_only=True)
class ContinuingModel(ExplainableModel):
    """An encoded model of boosted trees: a `luban.core.protocols.Updatable`.

    The encoding stays as it is: categories that it has not seen stay unseen.
    """

    kernel: ContinuingKernel

    def update(
        self,
        examples: Examples,
        *,
        replay: Examples | None = None,  # noqa: ARG002 - its own trees stay, so that it forgets nothing
        effort: Effort,
    ) -> ContinuingModel:
        """Return a model with more trees, which mend the errors on `examples`; its own trees stay.

        The last fifth of the rows tells how many rounds are good, then they are made from all rows. Where none is
        better than none, the model is returned as it is.

        Parameters
        ----------
        examples : Examples
            In the order of time, where they have one.
        """
        rows = len(examples.target)
        if rows < FEWEST or effort.expired:
            return self
        features = self.encoding.transform(examples.table)
        cut = rows - max(1, int(HELD * rows))
        watch = _Rest()
        self.kernel.boosted(
            self.task,
            self.encoding,
            features[:cut],
            part(examples, 0, cut),
            (features[cut:], part(examples, cut, rows)),
            rounds=_MOST,
            goes_on=lambda done, loss: watch.goes_on(done, loss) and not effort.expired,
            effort=effort,
        )
        if not watch.best or effort.expired:
            return self
        kernel = self.kernel.boosted(
            self.task,
            self.encoding,
            features,
            examples,
            None,
            rounds=watch.best,
            goes_on=lambda _done, _loss: not effort.expired,
            effort=effort,
        )
        learned = {**self.learned, "rounds": int(self.learned.get("rounds", 0)) + watch.best}
        return replace(self, kernel=kernel, learned=learned)


class _Rest:
    """When the loss on held-out rows rests; unlike in a fit, no round at all may be the best."""

    def __init__(self) -> None:
        self.best = 0
        self._lowest = float("inf")

    def goes_on(self, rounds: int, loss: float) -> bool:
        if loss < self._lowest:
            self.best, self._lowest = rounds, loss
        return rounds - self.best < _PATIENCE


def loss_on(task: Task, margins: np.ndarray, examples: Examples) -> float:
    """Return the log loss, the pinball loss, or the mean squared (for a median the absolute) error."""
    import numpy as np

    predicted = link.predictions(task, margins)
    target = examples.target
    if task.classifies:
        losses = -np.log(np.clip(predicted[np.arange(len(target)), target], 1e-12, 1.0))
    elif task.kind == "quantile":
        error, levels = target[:, None] - predicted, np.array(task.quantiles)
        losses = np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)
    else:
        losses = np.abs(target - predicted) if link.median_wanted(task) else (target - predicted) ** 2
    return float(np.average(losses, weights=examples.weight))
