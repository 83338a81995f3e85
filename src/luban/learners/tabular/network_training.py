"""How the neural network is trained: Adam on a cosine-logarithmic schedule, the best epoch kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.learners import link
from luban.learners.course import Course

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.task import Task
    from luban.learners.course import Curve

_CYCLES = 4
_TRIAL_STEPS = 8

_SMALLER = 0.2
"""Share of the rate with which a network that was trained before goes on."""

_EPOCHS, _PATIENCE, _BATCH = 30, 8, 64

Losses = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The weights of the best epoch, the scale of the target, the epochs planned and used, and how it went.

    Where training went on from a network, 0 epochs used are its own weights.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    centre: float
    spread: float
    epochs: int
    stop: int
    curves: Mapping[str, Curve] = field(default_factory=dict)


def train(
    task: Task,
    matrix: np.ndarray,
    training: Examples,
    held: tuple[np.ndarray, Examples] | None,
    own: Mapping[str, Any],
    effort: Effort,
    report: Callable[[int, float], bool] | None,
) -> Trained:
    """Return the trained weights; the same seed and threads give the same ones where the deadline is not met."""
    with _threads(effort.threads):
        return _Training(task, matrix, training, held, own, effort).run(report)


def go_on(
    task: Task,
    start: Trained,
    matrix: np.ndarray,
    training: Examples,
    held: tuple[np.ndarray, Examples] | None,
    own: Mapping[str, Any],
    effort: Effort,
) -> Trained:
    """Train a network a little further, in few epochs of a low rate; with `held` the best of them, or none."""
    rate = own["learning_rate"] or _rate(task)
    few = {"epochs": _EPOCHS, "patience": _PATIENCE, "batch": _BATCH, "learning_rate": _SMALLER * rate}
    with _threads(effort.threads):
        return _Training(task, matrix, training, held, {**own, **few}, effort, start).run(None)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Training:
    def __init__(
        self,
        task: Task,
        matrix: np.ndarray,
        training: Examples,
        held: tuple[np.ndarray, Examples] | None,
        own: Mapping[str, Any],
        effort: Effort,
        start: Trained | None = None,
    ) -> None:
        self.task, self.own, self.effort, self.start = task, own, effort, start
        self.random = torch.Generator().manual_seed(effort.seed)
        self.centre, self.spread = 0.0, 1.0
        if start is not None:
            self.centre, self.spread = start.centre, start.spread
        elif not task.classifies:
            self.centre, self.spread = float(training.target.mean()), float(training.target.std()) or 1.0
        self.features, self.target, self.weight = self._tensors(matrix, training)
        self.held = None if held is None else self._tensors(*held)
        self.losses = _losses(task)
        if start is None:
            sizes = [matrix.shape[1], *[int(own["width"])] * int(own["layers"]), link.width(task)]
            self.layers = [self._layer(a, b) for a, b in pairwise(sizes)]
        else:
            self.layers = [self._stored(*layer) for layer in zip(start.weights, start.biases, strict=True)]
        self.course = Course()
        self.rate = float(own["learning_rate"] or _rate(task))
        self.optimiser = self._optimiser()

    def _tensors(self, matrix: np.ndarray, examples: Examples) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        target = torch.from_numpy(np.array(examples.target))
        if not self.task.classifies:
            target = ((target - self.centre) / self.spread).float()
        weight = np.ones(len(matrix)) if examples.weight is None else examples.weight / examples.weight.mean()
        return torch.from_numpy(np.array(matrix)), target, torch.from_numpy(weight).float()

    def _layer(self, inputs: int, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weights in the neural tangent parametrisation: of unit variance, scaled in the forward pass."""
        weights = torch.randn(inputs, outputs, generator=self.random)
        biases = torch.randn(outputs, generator=self.random)
        return weights.requires_grad_(), biases.requires_grad_()

    def _stored(self, weights: np.ndarray, biases: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a layer of a plain network in the same parametrisation, see `_copy`."""
        scaled = torch.from_numpy(weights * math.sqrt(len(weights)))
        return scaled.requires_grad_(), torch.from_numpy(biases.copy()).requires_grad_()

    def _optimiser(self) -> torch.optim.Optimizer:
        # The paper's: biases learn at a tenth of the rate.
        groups: list[dict[str, Any]] = [
            {"params": [weights for weights, _ in self.layers], "factor": 1.0},
            {"params": [biases for _, biases in self.layers], "factor": 0.1, "weight_decay": 0.0},
        ]
        decay = float(self.own["weight_decay"])
        return torch.optim.AdamW(groups, lr=self.rate, betas=(0.9, 0.95), weight_decay=decay)

    def _forward(self, values: torch.Tensor) -> torch.Tensor:
        last = len(self.layers) - 1
        for place, (weights, biases) in enumerate(self.layers):
            values = torch.addmm(biases, values, weights / math.sqrt(len(weights)))
            if place < last:
                values = torch.selu(values) if self.task.classifies else torch.nn.functional.mish(values)
        return values

    def _step(self, rows: torch.Tensor, rate: float) -> float:
        """Learn from some rows and return their mean loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimiser.zero_grad()
        losses = self.losses(self._forward(self.features[rows]), self.target[rows])
        loss = (losses * self.weight[rows]).mean()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _batches(self) -> Iterator[torch.Tensor]:
        order = torch.randperm(len(self.features), generator=self.random)
        size = min(int(self.own["batch"]), len(order))
        # An incomplete last batch would weigh its rows more; they come in another epoch.
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]

    def _epochs_in_time(self) -> int:
        """Return how many epochs the time allows, by a few steps at rate zero."""
        epochs = int(self.own["epochs"])
        if not math.isfinite(self.effort.deadline):
            return epochs
        steps = max(1, len(self.features) // min(int(self.own["batch"]), len(self.features)))
        rows = torch.arange(min(int(self.own["batch"]), len(self.features)))
        start = time.monotonic()
        for _ in range(_TRIAL_STEPS):
            self._step(rows, 0.0)
        each = (time.monotonic() - start) / _TRIAL_STEPS * steps * 1.3
        self.optimiser = self._optimiser()
        return max(1, min(epochs, int(0.9 * self.effort.remaining / each)))

    def _held_loss(self) -> float | None:
        if self.held is None:
            return None
        features, target, weight = self.held
        with torch.no_grad():
            return float((self.losses(self._forward(features), target) * weight).mean())

    def run(self, report: Callable[[int, float], bool] | None) -> Trained:
        """Train and return the best epoch's weights."""
        epochs = self._epochs_in_time()
        stop = min(epochs, int(self.own["stop"] or epochs))
        before = None if self.start is None else self._held_loss()
        best, lowest, kept = 0, math.inf if before is None else before, self._copy()
        for epoch in range(1, stop + 1):
            self.course.begin()
            for step, rows in enumerate(self._batches()):
                progress = (epoch - 1 + step * len(rows) / len(self.features)) / epochs
                rate = self.rate * _schedule(progress)
                self.course.step(self._step(rows, rate), len(rows))
                if self.effort.expired:
                    break
            loss = self._held_loss()
            self.course.end(epoch, rate=rate, validation=loss)
            if loss is None or loss < lowest or (best == 0 and self.start is None):
                best, lowest, kept = epoch, math.inf if loss is None else loss, self._copy()
            wanted = report is None or loss is None or report(epoch, loss)
            if self.effort.expired or not wanted or epoch - best >= int(self.own["patience"]):
                break
        weights, biases = zip(*kept, strict=True)
        return Trained(
            weights=weights,
            biases=biases,
            centre=self.centre,
            spread=self.spread,
            epochs=epochs,
            stop=best,
            curves=self.course.told(),
        )

    def _copy(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the weights as a plain network has them."""
        return [
            ((weights / math.sqrt(len(weights))).detach().numpy().copy(), biases.detach().numpy().copy())
            for weights, biases in self.layers
        ]


def _rate(task: Task) -> float:
    return 0.04 if task.classifies else 0.07


def _schedule(progress: float) -> float:
    """Return the share of the rate at a share of the training: four cosine cycles, each twice as long as the last."""
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + (2**_CYCLES - 1) * progress)))


def _losses(task: Task) -> Losses:
    functional = torch.nn.functional
    if task.kind == "binary":
        return lambda out, target: functional.binary_cross_entropy_with_logits(
            out[:, 0], target.float(), reduction="none"
        )
    if task.kind == "multiclass":
        return lambda out, target: functional.cross_entropy(out, target, reduction="none")
    if task.kind == "quantile" or link.median_wanted(task):
        levels = torch.tensor(task.quantiles or (0.5,))

        def pinball(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            error = target[:, None] - out
            return torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=1)

        return pinball
    return lambda out, target: (out[:, 0] - target) ** 2
