"""What walks a space of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping


@runtime_checkable
class Searcher(Protocol):
    """A strategy that walks a space (group ``luban.searchers``)."""

    def ask(self) -> tuple[int, Mapping[str, Any]] | None:
        """Return (number of the trial, parameters), or None when the space is exhausted."""

    def tell(self, trial: int, loss: float | None) -> None:
        """Report the loss of a trial; None where it failed or was pruned."""

    def prune(self, trial: int, step: int, loss: float) -> bool:
        """Report an intermediate loss; return whether the trial should stop."""
