"""A run with all that was logged to it, and what can write it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from luban.core.run import Run


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run with its metrics by step, tags, files and parts.

    Parameters
    ----------
    experiment : str
        Name of the group that it belongs to.
    history : mapping of str to sequence of (int, float, datetime)
        (step, value, moment) of each metric, by step.
    files : sequence of str
        Paths of the files that it keeps.
    local : callable
        Returns a local, verified copy of one of them.
    parts : sequence of RunRecord
        Its children.
    """

    run: Run
    experiment: str
    history: Mapping[str, Sequence[tuple[int, float, datetime]]]
    tags: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()
    local: Callable[[str], Path]
    parts: Sequence[RunRecord] = ()


@runtime_checkable
class RunExporter(Protocol):
    """A form that a run can leave the house in (group ``luban.run_exporters``)."""

    def export(self, record: RunRecord, folder: str) -> Mapping[str, Any]:
        """Write into `folder` and return what is worth knowing: ``{"path": ..., "command": ...}``.

        ``command`` is what a person types to look at it.
        """
