"""From tensors and targets to the loss of a batch: the module whose gradients a step takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luban.foundation.backbone import Encoded
from luban.foundation.training.device import arithmetic

if TYPE_CHECKING:
    from luban.foundation.heads.objective import Objective
    from luban.foundation.network import Network


@dataclass(frozen=True)
class Mix:
    """Rows mixed in pairs: ``share * row + (1 - share) * partner`` (mixup, Zhang and others 2018).

    Attributes
    ----------
    share : float
    partners : torch.Tensor
        int64, shape (n,): the row that each is mixed with.
    """

    share: float
    partners: torch.Tensor

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """Return mixed values."""
        return self.share * values + (1.0 - self.share) * values[self.partners]


class Loss(nn.Module):
    """The sum of the losses of a batch.

    Parameters
    ----------
    network : Network
    objective : Objective
    precision : str
        Of the arithmetic of the body; head and loss are computed in float32.
    """

    def __init__(self, network: Network, objective: Objective, precision: str) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self._objective = objective

    def forward(
        self,
        tensors: dict[str, torch.Tensor],
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
        mix: Mix | None = None,
    ) -> torch.Tensor:
        """Return the sum of the rows' losses times their weights.

        Rows are mixed at the input where all tensors are real numbers (pixels, sound), else as vectors.
        """
        at_input = mix is not None and all(one.is_floating_point() for one in tensors.values())
        if mix is not None and at_input:
            tensors = {name: mix.of(one) for name, one in tensors.items()}
        device = next(iter(tensors.values())).device
        with arithmetic(device, self.precision):
            encoded: Encoded = self.network.encode(tensors)
        vectors = self.network.head.vectors(Encoded(*(one.float() for one in encoded)), tensors)
        if mix is not None and not at_input:
            vectors = mix.of(vectors)
        margins = self.network.head.margins(vectors)
        losses = self._objective.losses(margins, target)
        if mix is not None:
            losses = mix.share * losses + (1.0 - mix.share) * self._objective.losses(margins, target[mix.partners])
        if weight is not None:
            losses = losses * weight
        total: torch.Tensor = losses.sum()
        return total


def mixing(alpha: float, rows: int, draw: Any, device: torch.device) -> Mix | None:
    """Return how `rows` rows are mixed, drawn from a NumPy generator; None where alpha is 0 or there is one row."""
    if alpha <= 0 or rows < 2:
        return None
    partners = torch.from_numpy(draw.permutation(rows)).to(device)
    return Mix(float(draw.beta(alpha, alpha)), partners)
