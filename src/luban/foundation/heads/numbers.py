"""Numbers and quantiles: losses in units of the target's spread, so that rates suit targets of any scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from luban.foundation.heads.head import Head

if TYPE_CHECKING:
    from luban.core.task import Task

_OF_MEDIANS = frozenset(("mae", "median_absolute_error", "mape"))


class Regression:
    """One number: squared error, or absolute error where the metric asks for the median."""

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        del balanced, smoothing
        self.width = 1
        self.centre, self.spread = scale(target)
        self._median = task.metric in _OF_MEDIANS

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a head in the target's units."""
        return scaled_head(dimension, self.width, dropout, self.centre, self.spread)

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the numbers."""
        return torch.from_numpy(np.asarray(target, dtype=np.float32))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return 1 for each row."""
        return torch.ones_like(target)

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the scaled error of each row."""
        error = (margins[:, 0] - target) / self.spread
        return error.abs() if self._median else error.square()

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the same as `losses`: a number is never simply wrong."""
        return self.losses(margins, target)


class Quantile:
    """The quantiles of a number: pinball loss (Koenker and Bassett 1978)."""

    def __init__(self, task: Task, target: np.ndarray | None, *, balanced: bool, smoothing: float) -> None:
        del balanced, smoothing
        self.width = len(task.quantiles)
        self.centre, self.spread = scale(target)
        self._levels = torch.tensor(task.quantiles, dtype=torch.float32)

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a head in the target's units."""
        return scaled_head(dimension, self.width, dropout, self.centre, self.spread)

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the numbers."""
        return torch.from_numpy(np.asarray(target, dtype=np.float32))

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return 1 for each row."""
        return torch.ones_like(target)

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the scaled pinball loss of each row, summed over the levels."""
        error = (target[:, None] - margins) / self.spread
        levels = self._levels.to(target.device)
        return (functional.relu(error) * levels + functional.relu(-error) * (1.0 - levels)).sum(dim=1)

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the same as `losses`."""
        return self.losses(margins, target)


def scale(target: np.ndarray | None) -> tuple[float, float]:
    """Return mean and standard deviation of the target; 0 and 1 without one, a spread of 1 where it is constant."""
    if target is None or not len(target):
        return 0.0, 1.0
    values = np.asarray(target, dtype=np.float64)
    return float(values.mean()), float(values.std()) or 1.0


def scaled_head(dimension: int, width: int, dropout: float, centre: float, spread: float) -> Head:
    """Return a head whose margins are in the target's units."""
    head = Head(dimension, width, dropout=dropout)
    head.centre.fill_(centre)
    head.spread.fill_(spread)
    return head
