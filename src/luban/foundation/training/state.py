"""What a network has learnt, as tensors: kept in memory as the best state, and in checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def changing(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors that training changes, by name: trained parameters, the head, running statistics."""
    found = {name: one.detach() for name, one in network.named_parameters() if one.requires_grad}
    for name, module in network.named_modules():
        if isinstance(module, nn_batch_norm()) and module.track_running_stats:
            found.update({f"{name}.{own}": one for own, one in module.named_buffers(recurse=False)})
    return found


def kept(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of what training changes."""
    return {name: one.clone() for name, one in changing(network).items()}


def put_back(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put kept tensors back into the network."""
    present = changing(network)
    with torch.no_grad():
        for name, one in tensors.items():
            present[name].copy_(one)


def nn_batch_norm() -> type[nn.Module]:
    """Return the class of all batch norms."""
    kind: type[nn.Module] = torch.nn.modules.batchnorm._BatchNorm
    return kind


def learning_mode(network: nn.Module) -> None:
    """Switch dropout on; batch norms whose weights are frozen keep the statistics that they were trained with."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn_batch_norm()) and (module.weight is None or not module.weight.requires_grad):
            module.eval()
