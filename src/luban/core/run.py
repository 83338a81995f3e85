"""A record of work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RunState = Literal["running", "finished", "failed", "interrupted", "killed"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One piece of work: an operation that was asked for, or (as a child) one trial of it.

    Parameters
    ----------
    id : str
        Sortable by time of start.
    operation : str
        The verb, such as ``"fit"`` or ``"trial"``.
    request : mapping
        The parameters it was called with.
    environment : mapping
        Python, platform, packages, code version.
    scores : mapping of str to float
        The last value of each metric.
    error : mapping, optional
        What went wrong (`LubanError.to_dict`).
    name : str
        What people call it; need not be the only one of that name.
    experiment : int
        Number of the group of runs that it belongs to.
    deleted : datetime, optional
        When it was marked as deleted.
    """

    id: str
    operation: str
    request: Mapping[str, Any]
    state: RunState
    started: datetime
    parent: str | None = None
    ended: datetime | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    actor: str = ""
    name: str = ""
    experiment: int = 0
    deleted: datetime | None = None
