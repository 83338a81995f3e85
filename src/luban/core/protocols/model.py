"""What was learnt: from a table of inputs to predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols.learner import Examples
    from luban.core.task import Task


@runtime_checkable
class Model(Protocol):
    """What a learner's fit returns: from a table of inputs to predictions."""

    @property
    def learner(self) -> str:
        """Name of the learner that made it and that can load it."""

    @property
    def learned(self) -> Mapping[str, Any]:
        """What this fit found out and a refit on more rows must be told, as parameters: ``{"rounds": 312}``."""

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return float64 predictions.

        Shape (n, K) with rows that sum to 1 for K classes, (n,) for regression, (n, Q), non-decreasing
        along each row, for Q quantiles; (n, K) independent probabilities for multilabel; (n, L, K) for tokens, NaN
        where a row has fewer than L words or a word was not read.
        """

    def save(self) -> Mapping[str, bytes]:
        """Return the typed payloads, by file name; never pickle."""


@runtime_checkable
class TaskBound(Protocol):
    """Ability of a model: it tells the task that it was made for, and takes part in no ensemble of another one."""

    @property
    def task(self) -> Task:
        """What it was made for."""


@runtime_checkable
class Updatable(Protocol):
    """Ability of a model: it can go on learning from new rows."""

    def update(self, examples: Examples, *, replay: Examples | None = None, effort: Effort) -> Model:
        """Return a new model that has also learnt from `examples`, or this one where they teach it nothing.

        What lies before the kernel, such as an encoding, stays as it is.

        Parameters
        ----------
        examples : Examples
            New rows; in the order of time, where they have one.
        replay : Examples, optional
            A sample of the rows that it learnt from, for models that forget what they are not shown again.
        """
