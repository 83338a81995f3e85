"""Runs compare: the scores and requests of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One parameter or score, by run."""

    what: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What differs between runs, and all their scores."""

    runs: tuple[str, ...]
    request: tuple[Difference, ...]
    scores: tuple[Difference, ...]


@operation(permission="runs:read", name="runs compare")
def runs_compare(workspace: Workspace, runs: tuple[str, ...]) -> Compared:
    """Compare runs: the parameters in which they differ, and their scores.

    Parameters
    ----------
    runs
        Two or more identifiers, or the beginnings of them.
    """
    found = [workspace.runs.get(run) for run in runs]
    asked = sorted({name for run in found for name in run.request})
    request = [Difference(what=name, values={run.id: run.request.get(name) for run in found}) for name in asked]
    measured = sorted({name for run in found for name in run.scores})
    scores = [Difference(what=name, values={run.id: run.scores.get(name) for run in found}) for name in measured]
    return Compared(
        runs=tuple(run.id for run in found),
        request=tuple(one for one in request if len({str(value) for value in one.values.values()}) > 1),
        scores=tuple(scores),
    )
