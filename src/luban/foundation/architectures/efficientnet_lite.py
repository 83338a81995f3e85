"""EfficientNet-Lite (Tan and Le 2019; Liu 2020): a convolutional net without squeeze-and-excitation, with ReLU6."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from luban.foundation.architectures.body import Body, mean
from luban.foundation.backbone import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STEM = 32
_HEAD = 1280
_MOMENTUM = 0.01
_EPSILON = 1e-3
# Repeats, kernel, stride, expansion, channels.
_BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SamePadding(nn.Conv2d):  # type: ignore[misc]
    """A convolution whose output is as large as its input divided by the stride, padded as TensorFlow does."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the convolved map."""
        pads: list[int] = []
        for axis in (1, 0):
            size, kernel, stride = int(pixels.shape[2 + axis]), self.kernel_size[axis], self.stride[axis]
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(pixels, pads), self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):  # type: ignore[misc]
    """An inverted bottleneck: widen, filter each channel by itself, narrow; names of parameters as the weights have."""

    def __init__(self, entering: int, leaving: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = entering * expansion
        if expansion != 1:
            self._expand_conv = SamePadding(entering, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = SamePadding(inner, inner, kernel, stride=stride, groups=inner, bias=False)
        self._bn1 = _norm(inner)
        self._project_conv = SamePadding(inner, leaving, 1, bias=False)
        self._bn2 = _norm(leaving)
        self.widens = expansion != 1
        self.adds = stride == 1 and entering == leaving

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the map after the block."""
        steps = pixels
        if self.widens:
            steps = functional.relu6(self._bn0(self._expand_conv(steps)))
        steps = functional.relu6(self._bn1(self._depthwise_conv(steps)))
        steps = self._bn2(self._project_conv(steps))
        return steps + pixels if self.adds else steps


class Network(nn.Module):  # type: ignore[misc]
    """The net up to its last map, without the classifier."""

    def __init__(self, blocks: Sequence[Sequence[int]], stem: int, head: int) -> None:
        super().__init__()
        self._conv_stem = SamePadding(3, stem, 3, stride=2, bias=False)
        self._bn0 = _norm(stem)
        self._blocks = nn.ModuleList()
        width = stem
        for repeats, kernel, stride, expansion, channels in blocks:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                self._blocks.append(Block(width, channels, kernel=kernel, stride=step, expansion=expansion))
                width = channels
        self._conv_head = SamePadding(width, head, 1, bias=False)
        self._bn1 = _norm(head)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return the last map, shape (n, channels, h, w)."""
        steps = functional.relu6(self._bn0(self._conv_stem(pixel_values)))
        for block in self._blocks:
            steps = block(steps)
        return functional.relu6(self._bn1(self._conv_head(steps)))


class EfficientNetLite(Body):
    """One vector a cell of the last map (row by row), and their mean a picture.

    Parameters
    ----------
    configuration : mapping
        ``blocks``, ``stem`` and ``head`` where they differ from those of Lite0.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        head = int(configuration.get("head", _HEAD))
        self.network = Network(configuration.get("blocks", _BLOCKS), int(configuration.get("stem", _STEM)), head)
        self.dimension = head
        count = len(self.network._blocks)
        self.stages = (
            ("network._conv_stem.", "network._bn0."),
            *((f"network._blocks.{i}.",) for i in range(count)),
            ("network._conv_head.", "network._bn1."),
        )

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        """Return the vectors of pictures given as ``pixel_values``, shape (n, 3, H, W)."""
        steps = self.network(tensors["pixel_values"]).flatten(2).transpose(1, 2)
        mask = torch.ones(steps.shape[:2], dtype=torch.int64, device=steps.device)
        return Encoded(steps, mask, mean(steps, mask))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON, momentum=_MOMENTUM)
