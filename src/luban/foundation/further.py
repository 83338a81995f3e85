"""Train an adapted backbone further, from its weights: new rows, and some of the old ones among them (rehearsal).

What a network is not shown again it forgets; a share of old rows beside the new ones keeps it (Robins 1995,
"Catastrophic forgetting, rehearsal and pseudorehearsal"). The rate rises and falls anew as in the first training
(Ibrahim and others 2024, arXiv:2403.08763).
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from luban.foundation.training.options import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.foundation.adapted import Adapted

_EPOCHS = 6.0
"""Passes over the rows, at most: it begins with what it knows."""


def further(
    adapted: Adapted,
    training: Examples,
    validation: Examples | None,
    *,
    learned: Mapping[str, Any] | None = None,
    effort: Effort,
) -> Adapted:
    """Return a network that has gone on learning, as it was trained before; the one given stays as it is.

    Parameters
    ----------
    training : Examples
        New rows, and old ones among them.
    validation : Examples, optional
        They tell when to stop.
    learned : mapping, optional
        ``Adapted.learned`` of an earlier call with `validation`: how far to go.

    Raises
    ------
    InputError
        If training diverged before anything was learnt.
    """
    from luban.foundation import backbone
    from luban.foundation.adapt import adapt

    known = {one.name for one in fields(Training)}
    before = {name: value for name, value in adapted.training.items() if name in known}
    rows = len(training.target)
    # A head that has learnt is no place for a probe to begin; one process, as the others would begin with another one.
    passes = min(_EPOCHS, Training(**before).passes(rows))
    own = {"probe_first": False, "processes": 1, "epochs": passes, "stop": None, **(learned or {})}
    reading = {name: value for name, value in asdict(adapted.reading).items() if value is not None}
    return adapt(
        backbone.load(adapted.body()),
        adapted.way,
        adapted.task,
        adapted.columns,
        training,
        validation,
        parameters={**adapted.options, **reading, **before, **own},
        effort=effort,
        augmentation=adapted.augmentation,
        start=adapted.changed,
    )


def judged(adapted: Adapted, rows: Examples, *, effort: Effort) -> float:
    """Return what early stopping goes by, on rows; lower is better.

    Raises
    ------
    OutOfTime
        If the deadline came first.
    """
    import torch

    from luban.foundation.heads.objective import criterion, objective_for

    objective = objective_for(adapted.task, rows.target)
    margins = torch.from_numpy(adapted.margins(rows.table, threads=effort.threads, until=effort.deadline)).float()
    return criterion(adapted.task, objective, margins, objective.encode(rows.target))[0]
