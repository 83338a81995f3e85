"""Adapt a backbone to a task: one door for every way and every kind of column."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from luban.core.errors import Unsupported
from luban.foundation.adapted import Adapted
from luban.foundation.setup import choose, set_up
from luban.foundation.training import device, processes
from luban.foundation.training.evaluate import margins
from luban.foundation.training.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.network import Network
    from luban.foundation.way import Applied, Report

_AGREEMENT = 1e-5
_CHECKED = 16


def adapt(
    backbone: Backbone,
    way: str,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    validation: Examples | None,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
    report: Report | None = None,
    augmentation: Mapping[str, Any] | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Adapted:
    """Adapt a backbone to a task.

    Parameters
    ----------
    backbone : Backbone
        It is taken over: its body is changed and becomes part of the result.
    way : str
        Name in ``luban.ways``.
    columns : sequence of str
        What the backbone's preparation reads; two columns of text make a pair.
    training : Examples
    validation : Examples, optional
        For early stopping; without it training goes on to its end.
    parameters : mapping
        Fields of the way's options, of `Training`, and of `Reading`.
    effort : Effort
        The deadline is kept; with a checkpoint folder an interrupted training goes on where it was.
    report : callable, optional
        Called as ``report(step, criterion)`` at each evaluation; training ends where it returns False.
    augmentation : mapping, optional
        Parameters of the preparation's own augmentations.
    start : mapping of str to torch.Tensor, optional
        The head, and what is trained beside the body, to begin with instead of new ones: `Adapted.changed`.

    Raises
    ------
    Unsupported
        If the backbone cannot be adapted so, with the reason.
    InputError
        If a parameter is unknown, or training diverged before anything was learnt.
    """
    chosen, options, settings, reading = choose(backbone, way, task, parameters)
    # What only reads is done by one: to begin others takes longer than to read.
    count = 1 if chosen.reads_only and settings.processes is None else settings.processes
    with (
        device.threads(effort.threads),
        device.room_told(),
        device.repeatable(device.processor(), wanted=math.isinf(effort.deadline)),
        processes.shared(
            processes.Job(backbone, way, task, tuple(columns), training, validation, parameters, effort, augmentation),
            count,
        ),
    ):
        setup = set_up(
            backbone,
            chosen,
            task,
            columns,
            training,
            validation,
            options=options,
            settings=settings,
            reading=reading,
            effort=effort,
            report=report,
            augmentation=augmentation,
            start=start,
        )
        work = setup.work
        chosen.learn(work)
        work.network.eval()
        adapted = Adapted(
            task=task,
            columns=tuple(columns),
            way=way,
            options=asdict(options),
            training={**asdict(settings), "learning_rate": work.rate},
            augmentation=dict(augmentation or {}),
            reading=setup.reading,
            backbone=backbone,
            network=work.network,
            preparation=setup.preparation,
            changed=own_weights(work.network, whole=chosen.rewrites),
            original=setup.original,
            learned=dict(work.learned),
            history=tuple(work.history),
            notes=tuple(work.notes),
        )
        return folded(adapted, work.applied, Rows(setup.preparation, training.table.slice(0, _CHECKED)))


def own_weights(network: Network, *, whole: bool) -> dict[str, torch.Tensor]:
    """Return what the model has beside its backbone: the head, and what the way trained of the body."""
    from luban.foundation.training.state import changing

    head = {f"head.{name}": one.detach().clone() for name, one in network.head.state_dict().items()}
    if whole:
        return head
    return head | {name: one.clone() for name, one in changing(network).items() if name.startswith("body.")}


def folded(adapted: Adapted, applied: Applied, sample: Rows) -> Adapted:
    """Fold what was added into the weights where that can be done, and check that the answers stay."""
    place = device.Place(next(adapted.network.parameters()).device)
    before = margins(adapted.network, sample, place)
    try:
        applied.merge()
    except Unsupported as reason:
        adapted.folding = reason.seen or reason.happened
        return adapted
    adapted.network.eval()
    for parameter in adapted.network.parameters():
        parameter.requires_grad_(requires_grad=False)
    after = margins(adapted.network, sample, place)
    both = torch.nan_to_num(before), torch.nan_to_num(after)
    apart = float((both[0] - both[1]).abs().max()) if before.numel() else 0.0
    scale = max(1.0, float(both[0].abs().max())) if before.numel() else 1.0
    adapted.folding = f"folded into the weights; answers differ by at most {apart:.1e}"
    adapted.folds = apart <= _AGREEMENT * scale
    if adapted.folds:
        return adapted
    from luban.foundation import adapted as stored

    whole = stored.load(adapted.save(), fold=False)
    whole.network.to(place.device)
    whole.folding = f"not folded into the weights: answers would differ by {apart:.1e}"
    return whole
