"""A champion and its challenger on the same fresh rows, and the gates that the challenger must pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from luban.core.protocols import Examples
    from luban.core.report import Finding, Report
    from luban.core.schema import Schema
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One of the two.

    Parameters
    ----------
    reference : str
        Such as ``"adult/3"``.
    prediction : numpy.ndarray
        Of the fresh rows, as `luban.core.protocols.Model.predict` gives it.
    answer : callable
        Answers one row, given as a mapping of values, as a server would.
    size : int
        Bytes on disk.
    threshold : float, optional
        From which probability on a row of a binary task counts as positive.
    reports : mapping of str to Report
        By the name of the check.
    """

    reference: str
    prediction: np.ndarray
    answer: Callable[[Mapping[str, Any]], Any]
    size: int
    threshold: float | None = None
    reports: Mapping[str, Report] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The two on rows that neither has learnt from.

    Parameters
    ----------
    schema : Schema
        Of the input columns.
    fresh : Examples
        The rows and what turned out to be true.
    budget : str
        The option that said how long the challenger learns, such as ``"--rounds"``; empty where none did.
    """

    task: Task
    schema: Schema
    fresh: Examples
    champion: Contestant
    challenger: Contestant
    seed: int = 0
    budget: str = ""


Limit = float | str


@runtime_checkable
class Gate(Protocol):
    """Something that a challenger must pass before it takes over (group ``luban.gates``).

    Its `limit` is the one that counts where nobody gives another.
    """

    name: str
    limit: Limit

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return what was measured, held against the limit: the verdict is ``pass`` or ``block``.

        Raises
        ------
        InputError
            If the limit is none that this gate knows.
        """
