"""A small residual net of convolutions (He et al. 2016), which learns pictures and spectrograms from nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luban.core.errors import InputError
from luban.foundation.architectures.body import Body, mean
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping


class Convolutions(Body):
    """A stem that halves the sides at once, and stages that halve them and double the channels.

    Parameters
    ----------
    configuration : mapping
        ``channels``: of the input, 1 or 3; ``width``: channels of the stem; ``depth``: how many stages follow it;
        ``reads``: ``pixel_values`` or ``input_features``.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        width, depth = int(configuration["width"]), int(configuration["depth"])
        self.reads = str(configuration["reads"])
        if not (1 <= width <= 512 and 1 <= depth <= 6 and self.reads in {"pixel_values", "input_features"}):
            raise InputError("a net of convolutions cannot be built like this", seen=str(dict(configuration)))
        widths = [width * 2**stage for stage in range(depth + 1)]
        self.network = nn.ModuleDict(
            {
                "stem": Convolution(int(configuration["channels"]), width, stride=2, side=5),
                "stages": nn.ModuleList(Stage(one, other) for one, other in pairwise(widths)),
            }
        )
        self.dimension = widths[-1]
        self.stages = (
            ("network.stem.",),
            *((f"network.stages.{place}.",) for place in range(depth)),
        )

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return a vector a place of pictures, (n, C, H, W), or a frame of spectrograms, (n, mels, frames)."""
        values = tensors[self.reads]
        sound = values.dim() == 3
        mask = tensors["attention_mask"] if sound else torch.ones_like(values[:, 0, 0, :], dtype=torch.int64)
        values = values.unsqueeze(1) if sound else values
        mask = mask[:, ::2]
        values = self.network["stem"](values, mask)
        for stage in self.network["stages"]:
            mask = mask[:, ::2]
            values = stage(values, mask)
        if sound:
            steps = values.mean(dim=2).transpose(1, 2)
            return Encoded(steps, mask, mean(steps, mask))
        steps = values.flatten(2).transpose(1, 2)
        return Encoded(steps, torch.ones_like(steps[:, :, 0], dtype=torch.int64), steps.mean(dim=1))


class Convolution(nn.Module):
    """A convolution, batch norm and ReLU; what the mask hides stays 0, so that no row sees its padding."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, side: int = 3) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the values, shape (n, outputs, H', W'); the mask has shape (n, W')."""
        made: torch.Tensor = torch.relu(self.norm(self.convolution(values)))
        return made * mask[:, None, None, :].to(made.dtype)


class Stage(nn.Module):
    """A convolution that halves the sides, and a residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = Convolution(inputs, outputs, stride=2)
        self.first = Convolution(outputs, outputs, stride=1)
        self.second = Convolution(outputs, outputs, stride=1)

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the values of half the sides."""
        values = self.down(values, mask)
        added: torch.Tensor = values + self.second(self.first(values, mask), mask)
        return added
