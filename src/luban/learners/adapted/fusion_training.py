"""How the network that joins modalities learns: AdamW on a cosine, modalities dropped, the best epoch kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from luban.foundation.heads.objective import criterion, objective_for
from luban.foundation.training.device import threads
from luban.learners.adapted.fusion import Fusion
from luban.learners.course import Course
from luban.learners.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.learners.adapted.fusion import Inputs
    from luban.learners.course import Curve

_WARM_UP = 0.1
_PATIENCE = 12


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The network of the best epoch, the epochs planned and used, and how it went."""

    fusion: Fusion
    epochs: int
    stop: int
    curves: Mapping[str, Curve] = field(default_factory=dict)


def train(
    task: Task,
    inputs: Inputs,
    training: Examples,
    held: tuple[Inputs, Examples] | None,
    own: Mapping[str, Any],
    effort: Effort,
    report: Callable[[int, float], bool] | None,
) -> Trained:
    """Return the trained network; the same seed and threads give the same one where the deadline is not met."""
    with threads(effort.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(effort.seed)
        return _train(task, inputs, training, held, own, effort, report)


class Joining(nn.Module):  # type: ignore[misc]
    """The network while it learns; see `Fusion` for what becomes of it."""

    def __init__(self, inputs: Inputs, outputs: int, *, width: int, dropout: float, modality_dropout: float) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(block.shape[1], width) for block in inputs.blocks)
        self.inner = nn.Linear(width * len(inputs.blocks), width)
        self.outer = nn.Linear(width, outputs)
        self.dropout = nn.Dropout(dropout)
        self.drops = modality_dropout

    def forward(self, blocks: list[torch.Tensor], present: torch.Tensor) -> torch.Tensor:
        """Return the outputs before they are scaled, shape (n, outputs)."""
        if self.training and self.drops:
            kept = present * (torch.rand_like(present) >= self.drops)
            # Nobody learns from nothing: where all were dropped all stay.
            present = torch.where(kept.any(dim=1, keepdim=True), kept, present)
        parts = [
            self.dropout(torch.relu(project(block))) * present[:, [place]]
            for place, (project, block) in enumerate(zip(self.projections, blocks, strict=True))
        ]
        joined: torch.Tensor = self.outer(self.dropout(torch.relu(self.inner(torch.cat(parts, dim=1)))))
        return joined


def _train(
    task: Task,
    inputs: Inputs,
    training: Examples,
    held: tuple[Inputs, Examples] | None,
    own: Mapping[str, Any],
    effort: Effort,
    report: Callable[[int, float], bool] | None,
) -> Trained:
    objective = objective_for(task, training.target)
    scale = objective.head(1, 0.0)
    network = Joining(
        inputs,
        objective.width,
        width=int(own["width"]),
        dropout=float(own["dropout"]),
        modality_dropout=float(own["modality_dropout"]),
    )
    with torch.no_grad():
        network.outer.bias.copy_(scale.linear.bias)
    blocks, present = _tensors(inputs)
    target = objective.encode(training.target)
    weight = torch.ones(len(target)) if training.weight is None else torch.from_numpy(np.array(training.weight)).float()
    epochs = int(own["epochs"])
    stop = min(epochs, int(own["stop"] or epochs))
    batch = min(int(own["batch"]), max(8, len(target) // 8), len(target))
    steps = max(1, len(target) // batch)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=float(own["learning_rate"]), weight_decay=float(own["weight_decay"])
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / (epochs * steps)))
    watch = Watch(effort=effort, patience=_PATIENCE, report=report)
    course = Course()
    order = torch.Generator().manual_seed(effort.seed)
    best, lowest, used = _plain(network, inputs, scale), math.inf, 0
    for epoch in range(1, stop + 1):
        network.train()
        course.begin()
        rows = torch.randperm(len(target), generator=order)
        for start in range(0, steps * batch, batch):
            taken = rows[start : start + batch]
            optimiser.zero_grad()
            outputs = network([block[taken] for block in blocks], present[taken]) * scale.spread + scale.centre
            mean = (objective.losses(outputs, target[taken]) * weight[taken]).mean()
            mean.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            course.step(float(mean.detach()), len(taken))
            rate = float(schedule.get_last_lr()[0])
            schedule.step()
        loss = shown = None
        if held is not None:
            margins = torch.from_numpy(_plain(network, inputs, scale).margins(held[0])).float()
            loss, shown = criterion(task, objective, margins, objective.encode(held[1].target))
        course.end(epoch, rate=rate, validation=shown, judged=loss)
        if loss is None or loss < lowest:
            best, lowest, used = _plain(network, inputs, scale), math.inf if loss is None else loss, epoch
        if not watch.goes_on(epoch, loss):
            break
    return Trained(fusion=best, epochs=epochs, stop=max(1, used), curves=course.told())


def _rate(progress: float) -> float:
    """Return the share of the rate: it rises, then falls as a cosine does."""
    if progress < _WARM_UP:
        return max(progress, 0.01) / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (progress - _WARM_UP) / (1.0 - _WARM_UP)))


def _tensors(inputs: Inputs) -> tuple[list[torch.Tensor], torch.Tensor]:
    blocks = [torch.from_numpy(np.ascontiguousarray(block, dtype=np.float32)) for block in inputs.blocks]
    return blocks, torch.from_numpy(inputs.present)


def _plain(network: Joining, inputs: Inputs, scale: Any) -> Fusion:
    """Return the network as arrays."""

    def pair(layer: Any) -> tuple[np.ndarray, np.ndarray]:
        weights, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
        return np.ascontiguousarray(weights).copy(), bias.copy()

    return Fusion(
        names=inputs.names,
        blanks=inputs.blanks,
        projections=tuple(pair(layer) for layer in network.projections),
        layers=(pair(network.inner), pair(network.outer)),
        centre=scale.centre.double().numpy().copy(),
        spread=scale.spread.double().numpy().copy(),
    )
