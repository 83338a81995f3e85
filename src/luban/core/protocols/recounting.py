"""What a model tells of its own fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@runtime_checkable
class Preparing(Protocol):
    """Ability of a model: some of the time of its fit went into what ``Effort.cache`` keeps for all later ones."""

    @property
    def kept_seconds(self) -> float:
        """Return how many seconds another fit on the same rows will not take again."""

    @property
    def rows_read(self) -> int | None:
        """Return how many rows it learnt from where there was no time for all of them to be read, else None."""


@runtime_checkable
class Recounting(Protocol):
    """Ability of a model: it tells how its fit went, step by step, as far as it was recorded when it was fitted."""

    @property
    def curves(self) -> Mapping[str, Sequence[tuple[int, float]]]:
        """Return (step, value) pairs by the name of a metric: steps ascend, two hundred points a curve at most.

        Those whose names end in ``_loss``, such as ``training_loss`` and ``validation_loss``, are drawn in one picture,
        each other one, such as ``learning_rate`` and ``rows_per_second``, in its own. ``loss`` is what it has told its
        ``report``, and is taken in place of that: it is whole where a fit went on from a checkpoint.
        """
