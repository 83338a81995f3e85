"""Encoders of pictures by transformers: ViT and its relatives, and convolutional nets that give a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luban.core.errors import InputError, Unsupported
from luban.foundation.architectures.body import Body, mean, stages
from luban.foundation.architectures.transformers_model import empty
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping


class ImageEncoder(Body):
    """One vector a patch, and the first one or their mean a picture.

    Parameters
    ----------
    configuration : mapping
        ``transformers``: the model's own configuration; ``pooling``: ``mean`` or ``first`` (the class token).
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        self.pooling = configuration.get("pooling", "mean")
        if self.pooling not in {"mean", "first"}:
            raise InputError("unknown pooling", seen=repr(self.pooling), remedy="Choose mean or first.")
        self.network = empty(configuration["transformers"])
        config = self.network.config
        width = getattr(config, "hidden_size", None) or (getattr(config, "hidden_sizes", None) or [None])[-1]
        if not isinstance(width, int):
            raise Unsupported(f"the width of a {config.model_type} cannot be told from its configuration")
        self.dimension = width
        self.stages = stages(self.network)

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of pictures given as ``pixel_values``, shape (n, 3, H, W)."""
        steps = self.network(pixel_values=tensors["pixel_values"]).last_hidden_state
        if steps.dim() == 4:
            steps = steps.flatten(2).transpose(1, 2)
        mask = torch.ones(steps.shape[:2], dtype=torch.int64, device=steps.device)
        return Encoded(steps, mask, steps[:, 0] if self.pooling == "first" else mean(steps, mask))
