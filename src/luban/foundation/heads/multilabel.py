"""Any number of labels a row: one independent log-odds each, binary cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from luban.foundation.heads.head import Head

if TYPE_CHECKING:
    from luban.core.task import Task

_LARGEST = 20.0


class Multilabel:
    """K labels that do not exclude each other.

    The target has shape (n, K): 1 where a row bears a label, else 0. Where classes are balanced, what bears a label
    counts as much as what does not, up to 20 times.
    """

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        self.width = len(task.classes)
        self._shares = np.full(self.width, 0.5)
        if target is not None and len(target):
            self._shares = np.clip(np.asarray(target, dtype=np.float64).mean(axis=0), 0.5 / len(target), 0.999)
        odds = (1.0 - self._shares) / self._shares
        factor = np.clip(odds, 1.0 / _LARGEST, _LARGEST) if balanced else np.ones(self.width)
        self._positive = torch.tensor(factor, dtype=torch.float32)
        self._smoothing = smoothing

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a head whose biases are the log-odds of the labels."""
        head = Head(dimension, self.width, dropout=dropout)
        odds = self._shares / (1.0 - self._shares) * self._positive.numpy()
        with torch.no_grad():
            head.linear.bias.copy_(torch.from_numpy(np.log(odds)))
        return head

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the labels as 0 and 1, shape (n, K)."""
        return torch.from_numpy(np.asarray(target, dtype=np.float32))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return 1 for each row."""
        return torch.ones(len(target), device=target.device)

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean binary cross-entropy over the labels of each row."""
        soft = target * (1.0 - self._smoothing) + 0.5 * self._smoothing
        positive = self._positive.to(target.device)
        plain = functional.binary_cross_entropy_with_logits(margins, soft, pos_weight=positive, reduction="none")
        return plain.mean(dim=1)

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return 1 - F1 of each row's labels: 0 where all are right, also where none is due and none is said."""
        said = (margins > 0).float()
        both = (said * target).sum(dim=1)
        total = said.sum(dim=1) + target.sum(dim=1)
        return torch.where(total > 0, 1.0 - 2.0 * both / total.clamp(min=1.0), torch.zeros_like(total))
