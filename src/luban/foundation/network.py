"""A body and its head: what is trained, predicts and is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch

    from luban.foundation.backbone import Encoded
    from luban.foundation.heads.head import Head


class Network(nn.Module):
    """Margins from the tensors of a preparation.

    Parameters
    ----------
    body : torch.nn.Module
        ``body(**tensors) -> Encoded``.
    head : Head
    """

    def __init__(self, body: nn.Module, head: Head) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def encode(self, tensors: dict[str, torch.Tensor]) -> Encoded:
        """Return what the body makes of these tensors; those that only heads read are not passed on."""
        encoded: Encoded = self.body(**{name: one for name, one in tensors.items() if name not in self.head.own})
        return encoded

    def forward(self, **tensors: torch.Tensor) -> torch.Tensor:
        """Return the margins, shape (n, width), or (n, W, K) for a label a word."""
        margins: torch.Tensor = self.head(self.encode(tensors), tensors)
        return margins
