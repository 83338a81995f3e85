"""Runs list: the records of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import NotFound
from luban.core.operation import operation
from luban.core.run import Run
from luban.operations.runs.settled import settled

if TYPE_CHECKING:
    from luban.store import Workspace


MOMENTS = ("started", "ended")
"""What runs are sorted by beside metrics."""


@dataclass(frozen=True, kw_only=True)
class RunList:
    """Runs, the newest first, or by what `order_by` names."""

    runs: tuple[Run, ...]
    order_by: str | None = None


@operation(permission="runs:read", name="runs list")
def runs_list(
    workspace: Workspace,
    *,
    parent: str | None = None,
    experiment: str | None = None,
    trials: bool = False,
    order_by: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> RunList:
    """List runs, the newest first.

    Parameters
    ----------
    parent
        Only the trials of this run.
    experiment
        Only runs of this experiment, by its name.
    trials
        List the trials of all runs too.
    order_by
        A metric to sort by, the largest first, or `ended`; runs without it come last.
    limit
        How many at most.
    offset
        How many to skip.
    """
    if parent is not None:
        parent = workspace.runs.get(parent).id
    group = None if experiment is None else workspace.experiments.named(experiment).id
    settled(workspace)
    if order_by is not None and order_by not in MOMENTS and not workspace.runs.has_metric(order_by):
        raise NotFound.named("metric", order_by, workspace.runs.metric_names())
    return RunList(
        order_by=order_by,
        runs=tuple(
            workspace.runs.list(
                parent=parent,
                experiment=group,
                roots=parent is None and not trials,
                order_by=order_by,
                limit=limit,
                offset=offset,
            )
        ),
    )
