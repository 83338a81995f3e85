"""Adapt a backbone to a task: one door for every way and every kind of column."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.core import plugins
from luban.core.errors import Unsupported
from luban.core.protocols import Unsuitable
from luban.foundation.adapted import Adapted
from luban.foundation.heads.objective import objective_for
from luban.foundation.network import Network
from luban.foundation.training import device
from luban.foundation.training.evaluate import margins
from luban.foundation.training.options import Training
from luban.foundation.training.rows import Rows
from luban.foundation.training.work import Labelled, Work
from luban.foundation.way import Way, split_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.way import Applied, Report

_AGREEMENT = 1e-5
_CHECKED = 16
_AFTER = 0.02


def find(name: str) -> Way:
    """Return the way of this name, or raise `NotFound` with those that there are."""
    way: Way = plugins.create("ways", name)
    return way


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

    Raises
    ------
    Unsupported
        If the backbone cannot be adapted so, with the reason.
    InputError
        If a parameter is unknown, or training diverged before anything was learnt.
    """
    from luban.foundation.adapted import Reading

    chosen = find(way)
    answer = chosen.supports(backbone, task)
    if isinstance(answer, Unsuitable):
        raise Unsupported(f"{way} cannot adapt {backbone.card.name}", seen=answer.reason)
    options, settings, reading = split_options(parameters, chosen.options, Training, Reading)
    with device.threads(effort.threads):
        torch.manual_seed(effort.seed)
        place = device.here()
        preparation = backbone.preparation(columns, **reading.options(task))
        objective = objective_for(task, training.target, balanced=settings.balanced, smoothing=settings.label_smoothing)
        original = None if chosen.rewrites else backbone.save()
        applied = chosen.apply(backbone, options, Rows(preparation, training.table.slice(0, 1)).batch(np.arange(1)))
        if applied.longest is not None and preparation.max_length > applied.longest:  # type: ignore[attr-defined]
            reading = replace(reading, max_length=applied.longest)
            preparation = backbone.preparation(columns, **reading.options(task))
        rows = Rows(preparation, training.table, augmentation=augmentation, seed=effort.seed)
        head = objective.head(backbone.dimension, settings.dropout)
        network = Network(applied.body, head).to(place.device)
        if settings.checkpointing:
            recompute(network)
        work = Work(
            task=task,
            network=network,
            applied=applied,
            objective=objective,
            options=options,
            training=settings,
            rate=settings.learning_rate or chosen.rate,
            examples=labelled(rows, training, objective),
            validation=None
            if validation is None
            else labelled(Rows(preparation, validation.table), validation, objective),
            effort=effort,
            deadline=effort.deadline - _AFTER * min(effort.remaining, 60.0),
            place=place,
            report=report,
        )
        chosen.learn(work)
        network.eval()
        changed = own_weights(network, whole=chosen.rewrites)
        adapted = Adapted(
            task=task,
            columns=tuple(columns),
            way=way,
            options=asdict(options),
            reading=reading,
            backbone=backbone,
            network=network,
            preparation=preparation,
            changed=changed,
            original=original,
            learned=dict(work.learned),
            history=tuple(work.history),
            notes=tuple(work.notes),
        )
        return folded(adapted, applied, Rows(preparation, training.table.slice(0, _CHECKED)))


def labelled(rows: Rows, examples: Examples, objective: Any) -> Labelled:
    """Return rows with their targets and weights as tensors."""
    weight = None if examples.weight is None else torch.from_numpy(np.asarray(examples.weight, dtype=np.float32))
    return Labelled(rows=rows, target=objective.encode(examples.target), weight=weight)


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
    if apart <= _AGREEMENT * scale:
        return adapted
    from luban.foundation import adapted as stored

    whole = stored.load(adapted.save(), fold=False)
    whole.history, whole.notes = adapted.history, adapted.notes
    whole.folding = f"not folded into the weights: answers would differ by {apart:.1e}"
    return whole


def recompute(network: Network) -> None:
    """Let the body compute its inner values twice rather than keep them, or say that it cannot."""
    inner = getattr(network.body, "network", network.body)
    switch = getattr(inner, "gradient_checkpointing_enable", None)
    if switch is None or not getattr(inner, "supports_gradient_checkpointing", False):
        raise Unsupported(
            "this backbone cannot compute its inner values twice",
            seen="checkpointing=true",
            remedy="Use a smaller batch, or accumulate=4, to save memory.",
        )
    switch(gradient_checkpointing_kwargs={"use_reentrant": False})
