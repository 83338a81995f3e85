"""The layer from the vectors of a body to the margins of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.foundation.backbone import Encoded


class Head(nn.Module):
    """A linear layer, and the scale of the target's units.

    Parameters
    ----------
    dimension : int
        Width of the vectors.
    width : int
        Margins a row (or a word).
    dropout : float
        Share of the vector that is dropped in training.

    Attributes
    ----------
    centre, spread : torch.Tensor
        Shape (width,): margins are ``linear(vector) * spread + centre``; 0 and 1 but for numbers.
    """

    own: ClassVar[tuple[str, ...]] = ()
    """Tensors that the head alone reads."""
    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, dimension: int, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(dimension, width)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def vectors(self, encoded: Encoded, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what the layer reads, shape (n, d)."""
        del tensors
        return encoded.pooled

    def margins(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the margins of vectors, shape (..., width)."""
        raw = self.linear(self.dropout(vectors)).float()
        return raw * self.spread + self.centre

    def forward(self, encoded: Encoded, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the margins, shape (n, width)."""
        return self.margins(self.vectors(encoded, tensors))
