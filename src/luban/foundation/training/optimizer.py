"""AdamW over the groups of a way and the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luban.foundation.ways.structure import undecayed

if TYPE_CHECKING:
    from luban.foundation.training.work import Work


def optimizer(work: Work) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019); each group keeps its ``scale`` of the rate."""
    plain = undecayed(work.applied.body)
    groups: list[dict[str, Any]] = []
    for group in work.applied.groups:
        for decayed in (True, False):
            chosen = [one for name, one in group.parameters.items() if (name not in plain) is decayed]
            if chosen:
                decay = work.training.weight_decay if decayed else 0.0
                groups.append({"params": chosen, "scale": group.scale, "weight_decay": decay})
    head = work.network.head
    # A head starts from nothing: it learns faster than the weights that know something (but never above 1e-2).
    scale = max(1.0, min(1e-3, 20.0 * work.rate) / work.rate)
    groups.append({"params": [head.linear.weight], "scale": scale, "weight_decay": work.training.weight_decay})
    groups.append({"params": [head.linear.bias], "scale": scale, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=work.rate, betas=(0.9, 0.999), eps=1e-8, fused=True)
