"""Runs and registered models as another tool kept them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from luban.core.run import RunState

STATES: Mapping[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
"""MLflow's states of a run."""


@dataclass(frozen=True, kw_only=True)
class ForeignRun:
    """A run of another tool.

    Parameters
    ----------
    id : str
        As that tool names it.
    operation : str
        ``"track"``, or ``"logged model"`` for what MLflow keeps of a model beside the run that made it.
    metrics : sequence of (str, int, float, datetime)
        (metric, step, value, moment).
    artefacts : Path, optional
        Folder of the files that it keeps.
    unread : str, optional
        Where its files are, if not in a folder that may be read.
    """

    id: str
    operation: str = "track"
    experiment: str
    name: str
    state: RunState
    started: datetime
    ended: datetime | None = None
    deleted: bool = False
    parent: str | None = None
    actor: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[tuple[str, int, float, datetime]] = ()
    artefacts: Path | None = None
    unread: str | None = None


@dataclass(frozen=True, kw_only=True)
class ForeignVersion:
    """A version of a registered model of another tool.

    Parameters
    ----------
    addresses : sequence of str
        Where its files are said to be, what the tool goes by first.
    run, model : str, optional
        The run and the logged model that it was made of, as that tool names them.
    stage : str
        ``"None"`` where it is in none.
    """

    number: int
    made: datetime
    addresses: Sequence[str] = ()
    run: str | None = None
    model: str | None = None
    link: str = ""
    actor: str = ""
    description: str = ""
    stage: str = "None"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ForeignModel:
    """A registered model of another tool, with its versions by number, without those that were deleted."""

    name: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[ForeignVersion] = ()


def moment(milliseconds: float | None) -> datetime | None:
    """Return a moment that is given in milliseconds since 1970, as MLflow does."""
    return None if milliseconds is None else datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
