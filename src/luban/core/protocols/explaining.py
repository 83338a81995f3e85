"""What a model can say of why it predicts what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.report import Evidence


@runtime_checkable
class Explainable(Protocol):
    """Ability of a model: exact Shapley values."""

    def contributions(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (values, base).

        values has shape (n, columns, outputs), base shape (outputs,): for each row their sum is the model's
        margin (log-odds for classes, the prediction itself for regression). One column an input column
        of the task, in order; outputs is 1 for binary tasks (the positive class).
        """


@runtime_checkable
class WarmingUp(Protocol):
    """Ability of what is Explainable: it tells how long its first contributions take besides the rows."""

    @property
    def warm_up(self) -> float:
        """Seconds, such as for the import of a library; 0 once that is done."""


@runtime_checkable
class Attributing(Protocol):
    """Ability of a model: it can show which parts of one value a prediction rests on."""

    def attributions(self, table: pa.Table, outputs: np.ndarray, *, effort: Effort) -> Sequence[Sequence[Evidence]]:
        """Return for each row what to show: evidence drawn as ``spans`` or as a ``picture``, or bars of shares.

        Parameters
        ----------
        outputs : numpy.ndarray
            int64, shape (n,): for each row the place in its own flattened prediction that is explained; positive
            weights speak for it.
        effort : Effort
            Rows that its deadline leaves no time for have no evidence.
        """
