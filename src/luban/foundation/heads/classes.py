"""One class of two, or of many: cross-entropy, class weights, label smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from luban.foundation.heads.head import Head

if TYPE_CHECKING:
    from luban.core.task import Task


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """Return n / (K * count) for each class, as scikit-learn does; 1 for a class that has no row."""
    present = counts > 0
    total, kinds = float(counts.sum()), max(int(present.sum()), 1)
    return np.where(present, total / (kinds * np.maximum(counts, 1)), 1.0)


def class_counts(target: np.ndarray | None, classes: int) -> np.ndarray:
    """Return how many rows each class has; all 1 where there is no target."""
    if target is None:
        return np.ones(classes)
    return np.bincount(np.asarray(target, dtype=np.int64), minlength=classes).astype(np.float64)


class Binary:
    """Two classes: one margin, the log-odds of the positive one."""

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        del task
        self.width = 1
        self._counts = class_counts(target, 2)
        weights = balanced_weights(self._counts) if balanced else np.ones(2)
        self._weights = torch.tensor(weights, dtype=torch.float32)
        self._smoothing = smoothing

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a head whose bias is the log-odds of the training rows."""
        head = Head(dimension, 1, dropout=dropout)
        negative, positive = np.maximum(self._counts * self._weights.numpy(), 0.5)
        with torch.no_grad():
            head.linear.bias.fill_(float(np.log(positive / negative)))
        return head

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the codes."""
        return torch.from_numpy(np.asarray(target, dtype=np.int64))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return the weight of each row's class."""
        return self._weights.to(target.device)[target]

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted cross-entropy of each row."""
        soft = target.float() * (1.0 - self._smoothing) + 0.5 * self._smoothing
        plain = functional.binary_cross_entropy_with_logits(margins[:, 0], soft, reduction="none")
        return plain * self.weights(target)

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted wrong decisions."""
        return ((margins[:, 0] > 0).long() != target).float() * self.weights(target)


class Multiclass:
    """One class of many: a logit each."""

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        self.width = len(task.classes)
        self._counts = class_counts(target, self.width)
        weights = balanced_weights(self._counts) if balanced else np.ones(self.width)
        self._weights = torch.tensor(weights, dtype=torch.float32)
        self._smoothing = smoothing

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a head whose biases are the logarithms of the classes' shares."""
        head = Head(dimension, self.width, dropout=dropout)
        shares = np.maximum(self._counts * self._weights.numpy(), 0.5)
        with torch.no_grad():
            head.linear.bias.copy_(torch.from_numpy(np.log(shares / shares.sum())))
        return head

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the codes."""
        return torch.from_numpy(np.asarray(target, dtype=np.int64))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return the weight of each row's class."""
        return self._weights.to(target.device)[target]

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted cross-entropy of each row."""
        plain = functional.cross_entropy(margins, target, reduction="none", label_smoothing=self._smoothing)
        return plain * self.weights(target)

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the weighted wrong decisions."""
        return (margins.argmax(dim=1) != target).float() * self.weights(target)
