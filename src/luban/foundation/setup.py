"""What stands before a training: the way chosen, the body changed, the head made, the rows as tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.core import plugins
from luban.core.errors import InputError, Unsupported
from luban.core.preparation import Cutting
from luban.core.protocols import Unsuitable
from luban.foundation.adapted import Reading, fill
from luban.foundation.heads.objective import objective_for
from luban.foundation.network import Network
from luban.foundation.training import device
from luban.foundation.training.options import Training
from luban.foundation.training.rows import Rows
from luban.foundation.training.work import Labelled, Work
from luban.foundation.way import Way, split_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.preparation import Preparation
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.heads.objective import Objective
    from luban.foundation.way import Report

_AFTER, _AFTER_MOST = 0.02, 1.2
"""Share of the time, and most seconds of it, for what follows training: folding, checking, saving."""
_LONG = 80
"""Steps of a row from which attention without dropout is the quicker one on a processor."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A training about to begin.

    Attributes
    ----------
    work : Work
    preparation : Preparation
    reading : Reading
        As asked for, with room left for what the way puts before a row.
    original : mapping of str to bytes, optional
        Payloads of the backbone before it was changed; None where it is saved as trained.
    """

    work: Work
    preparation: Preparation
    reading: Reading
    original: Mapping[str, bytes] | None


def find(name: str) -> Way:
    """Return the way of this name, or raise `NotFound` with those that there are."""
    way: Way = plugins.create("ways", name)
    return way


def choose(
    backbone: Backbone, way: str, task: Task, parameters: Mapping[str, Any]
) -> tuple[Way, Any, Training, Reading]:
    """Return the way, its options, how it is trained and how rows are read.

    Raises
    ------
    Unsupported
        If the backbone cannot be adapted so, with the reason.
    InputError
        If a parameter is unknown or makes no sense.
    """
    chosen = find(way)
    answer = chosen.supports(backbone, task)
    if isinstance(answer, Unsuitable):
        raise Unsupported(f"{way} cannot adapt {backbone.card.name}", seen=answer.reason)
    options, settings, reading = split_options(parameters, chosen.options, Training, Reading)
    return chosen, options, settings, reading


def set_up(
    backbone: Backbone,
    way: Way,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    validation: Examples | None,
    *,
    options: Any,
    settings: Training,
    reading: Reading,
    effort: Effort,
    report: Report | None = None,
    augmentation: Mapping[str, Any] | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Setup:
    """Change the body, make the head and prepare the rows; the random numbers are those of ``effort.seed``."""
    torch.manual_seed(effort.seed)
    place = device.here()
    preparation = backbone.preparation(columns, **reading.options(task))
    objective = objective_for(task, training.target, balanced=settings.balanced, smoothing=settings.label_smoothing)
    original = None if way.rewrites else backbone.save()
    applied = way.apply(backbone, options, Rows(preparation, training.table.slice(0, 1)).batch(np.arange(1)))
    if applied.longest is not None and isinstance(preparation, Cutting) and preparation.max_length > applied.longest:
        reading = replace(reading, max_length=applied.longest)
        preparation = backbone.preparation(columns, **reading.options(task))
    rows = Rows(preparation, training.table, augmentation=augmentation, seed=effort.seed)
    network = Network(applied.body, objective.head(backbone.dimension, settings.dropout))
    if start is not None:
        fill(network, start)
    network.to(place.device)
    if settings.checkpointing:
        recompute(network)
    if place.device.type == "cpu" and len(rows) and float(np.mean(rows.lengths)) >= _LONG:
        attend_quickly(network)
    held = None if validation is None else labelled(Rows(preparation, validation.table), validation, objective)
    work = Work(
        task=task,
        network=network,
        applied=applied,
        objective=objective,
        options=options,
        training=settings,
        rate=settings.learning_rate or way.rate,
        examples=labelled(rows, training, objective),
        validation=held,
        effort=effort,
        deadline=effort.deadline - min(_AFTER * effort.remaining, _AFTER_MOST),
        place=place,
        report=report,
    )
    return Setup(work=work, preparation=preparation, reading=reading, original=original)


def labelled(rows: Rows, examples: Examples, objective: Objective) -> Labelled:
    """Return rows with their targets and weights as tensors."""
    weight = None if examples.weight is None else torch.from_numpy(np.asarray(examples.weight, dtype=np.float32))
    target = objective.encode(examples.target)
    if not bool(torch.isfinite(target).all()):
        count = int((~torch.isfinite(target)).sum())
        raise InputError(
            "the target holds what is no number",
            seen=f"{count:,} of {target.numel():,}",
            remedy="Leave those rows out.",
        )
    return Labelled(rows=rows, target=target, weight=weight)


def recompute(network: Network) -> None:
    """Let the body compute its inner values twice rather than keep them, or say that it cannot."""
    inner = getattr(network.body, "network", network.body)
    switch = getattr(inner, "activation_checkpointing_enable", getattr(inner, "gradient_checkpointing_enable", None))
    if switch is None or not getattr(inner, "supports_gradient_checkpointing", False):
        raise Unsupported(
            "this backbone cannot compute its inner values twice",
            seen="checkpointing=true",
            remedy="Use a smaller batch, or accumulate=4, to save memory.",
        )
    switch({"use_reentrant": False})


def attend_quickly(network: Network) -> None:
    """Leave out the dropout of attention: PyTorch has a kernel without it that keeps no matrix of steps by steps.

    On long texts a training step takes a third to a half of the time and half of the memory.
    """
    for module in network.body.modules():
        if "attention" not in type(module).__name__.lower():
            continue
        if isinstance(getattr(module, "dropout", None), torch.nn.Dropout):
            module.dropout.p = 0.0
        for name in ("attention_dropout", "dropout_p", "dropout_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
