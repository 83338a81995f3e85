"""What all bodies share: stages, pooling, and what they say of inputs that cannot fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.foundation.backbone import Encoded


class Body(nn.Module):  # type: ignore[misc]  # torch is not looked into
    """A network whose ``forward(**tensors)`` returns `Encoded`.

    Attributes
    ----------
    network : torch.nn.Module
        The network proper, which the ways adapt.
    dimension : int
        Width of its vectors.
    stages : tuple of tuple of str
        Prefixes of parameter names from input to output.
    """

    network: nn.Module
    dimension: int
    stages: tuple[tuple[str, ...], ...]

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of these rows."""
        raise NotImplementedError

    def check(self, settings: Mapping[str, Any], files: Mapping[str, bytes], *, name: str) -> None:
        """Raise `InputError` where a preparation made with these cannot fit the weights."""


def mean(steps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of the real steps, shape (n, d); zeros where a row has none."""
    weight = mask.to(steps.dtype).unsqueeze(-1)
    return (steps * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


def stages(network: nn.Module, prefix: str = "network.") -> tuple[tuple[str, ...], ...]:
    """Return the stages of a network with one long list of layers: what comes before, each layer, what comes after."""
    lists = [(name, one) for name, one in network.named_modules() if isinstance(one, nn.ModuleList)]
    top = [(name, one) for name, one in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    if not top:
        return ((prefix,),)
    layers, longest = max(top, key=lambda pair: len(pair[1]))
    before: list[str] = []
    after: list[str] = []
    passed = False
    for name, _ in network.named_parameters():
        if name.startswith(f"{layers}."):
            passed = True
            continue
        owner = prefix + name.rpartition(".")[0] + "." if "." in name else prefix + name
        (after if passed else before).append(owner)
    found = [tuple(dict.fromkeys(before)), *((f"{prefix}{layers}.{i}.",) for i in range(len(longest)))]
    found.append(tuple(dict.fromkeys(after)))
    return tuple(stage for stage in found if stage)
