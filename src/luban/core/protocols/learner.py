"""What learns: a learner, the rows it is given, and whether it suits a task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols.model import Model
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Rows to learn from.

    Parameters
    ----------
    table : pyarrow.Table
        The input columns only, conforming to the schema.
    target : numpy.ndarray
        Shape (n,): class codes (int64, 0..K-1) for classes, float64 otherwise. No missing values. For multilabel
        float64 of shape (n, K), 1 where a row bears a label, else 0; for tokens the codes of the words' labels,
        int64 of shape (n, L), -1 where a row has fewer words.
    weight : numpy.ndarray, optional
        Shape (n,), non-negative float64.
    """

    table: pa.Table
    target: np.ndarray
    weight: np.ndarray | None = None


@dataclass(frozen=True)
class Suitable:
    """A learner can take the task on."""

    note: str = ""


@dataclass(frozen=True)
class Unsuitable:
    """A learner cannot take the task on, for this reason (shown on the leaderboard)."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Parameters worth trying, as published or found; a lower `order` is tried earlier.

    Parameters
    ----------
    once : bool
        One fit is so dear that it is fitted on the first fold alone, and that model stays: it is
        neither cross-validated nor learnt again from all rows.
    share : float, optional
        Share of the time left that its first fold may take, where the usual one does not suit it.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    order: float = 100.0
    once: bool = False
    share: float | None = None


@runtime_checkable
class Learner(Protocol):
    """A way to learn (group ``luban.learners``). It holds no state: what is learnt is the model.

    It is offered tasks of the kinds of `luban.core.task.PLAIN`, unless it is `Specialised`.
    """

    name: str

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether it can take on this task with these inputs, and if not why, in words."""

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        """Return parameters worth trying without search, at least one."""

    def space(self, task: Task, schema: Schema) -> Space:
        """Return the parameters to search over for these inputs; empty where there are none."""

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> Model:
        """Learn from `training` and return before ``effort.deadline`` with the best model so far.

        Parameters
        ----------
        schema : Schema
            Of the input columns in ``training.table``.
        validation : Examples, optional
            For early stopping; without it the number of rounds comes from `parameters`.
        report : callable, optional
            Called as ``report(step, loss)`` with a validation loss (lower is better); training stops early
            where it returns False.
        """

    def load(self, payloads: Mapping[str, bytes]) -> Model:
        """Return the model that `Model.save` wrote; parse, check, then construct."""


@runtime_checkable
class Specialised(Protocol):
    """Ability of a learner: it is made for other kinds of tasks than the plain ones.

    Attributes
    ----------
    kinds : tuple of str
        It is offered tasks of these kinds alone, see `luban.core.task.Task.kind`.
    """

    kinds: tuple[str, ...]
