"""The fusion network in PyTorch, so that gradients pass through it to what was fused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from luban.learners.adapted.fusion import Fusion


def margins(fusion: Fusion, blocks: Sequence[torch.Tensor], present: np.ndarray) -> torch.Tensor:
    """Return what `Fusion.margins` does for variants of one row, shape (m, outputs).

    Parameters
    ----------
    blocks : sequence of torch.Tensor
        float32, shape (m, width) or (1, width) each.
    present : numpy.ndarray
        Shape (modalities,), as it is for the row itself: parts that are covered do not make a value missing.
    """
    rows = max(len(block) for block in blocks)
    parts = [
        torch.relu(block.float() @ torch.from_numpy(weights) + torch.from_numpy(bias)).expand(rows, -1) * float(there)
        for block, (weights, bias), there in zip(blocks, fusion.projections, present, strict=True)
    ]
    values = torch.cat(parts, dim=1)
    for place, (weights, bias) in enumerate(fusion.layers):
        values = values @ torch.from_numpy(weights) + torch.from_numpy(bias)
        if place < len(fusion.layers) - 1:
            values = torch.relu(values)
    return values.double() * torch.from_numpy(fusion.spread) + torch.from_numpy(fusion.centre)
