"""What a fit would take, and what would spoil it, told before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols.learner import Examples, Unsuitable
    from luban.core.report import Finding
    from luban.core.schema import Schema
    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a fit would take, measured on a few steps of it.

    Parameters
    ----------
    seconds : float
        Of one pass over the rows, setting up included.
    memory : int
        Bytes at the worst moment.
    note : str
        In words what was measured.
    least : float, optional
        Seconds that a fit can make do with, where it learns from as many rows as it has time for.
    room : int, optional
        Bytes that there are on the device that would do the work; None where it is the machine's own memory.
    host : int
        Bytes of the machine's own memory that it takes as well where the work is done on another device.
    """

    seconds: float
    memory: int
    note: str = ""
    least: float | None = None
    room: int | None = None
    host: int = 0


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One of several ways in which a learner can fit, and what it would take or why it cannot be done."""

    parameters: Mapping[str, Any]
    forecast: Forecast | None = None
    reason: str = ""


@runtime_checkable
class Plannable(Protocol):
    """Ability of a learner: it can tell from a few probe steps what a fit would take."""

    def forecast(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Forecast | Unsuitable:
        """Return what a fit with these parameters would take, or why it cannot be done; within seconds."""


@runtime_checkable
class Comparing(Protocol):
    """Ability of a learner: from what it has measured it can tell what its other ways would take."""

    def alternatives(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        *,
        measured: Sequence[Alternative],
        effort: Effort,
    ) -> Sequence[Alternative]:
        """Return all ways that a search may try, but those that were measured.

        Parameters
        ----------
        measured : sequence of Alternative
            What `Plannable.forecast` told of some.
        effort : Effort
            Without time left they share the steps that were measured; with some, each is tried for a step or two.
        """


@runtime_checkable
class Preflight(Protocol):
    """Ability of a learner: it can look for what would spoil a fit before it begins."""

    def preflight(
        self, task: Task, schema: Schema, training: Examples, *, parameters: Mapping[str, Any], effort: Effort
    ) -> Sequence[Finding]:
        """Return what is wrong or worth knowing, each with its fix; a verdict of ``block`` forbids the fit."""
