"""The backbones that Luban knows by name (group ``luban.backbones``), one file each.

What follows is what several of their cards tell alike: which ways suit an architecture, and which tasks each of them
serves there. A backbone that differs, such as one of a third party, tells its own (`luban.foundation.backbone.Card`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TASKS = ("binary", "multiclass", "multilabel", "regression")
"""What every backbone serves."""

TEXT_TASKS = (*TASKS, "tokens", "matching")

_CLASSES = ("binary", "multiclass")

ATTENTION_WAYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("linear_probe", "full", "lora", "dora", "adalora", "ia3", "adapter", "prefix", "prompt", "bitfit"),
        (*TASKS, "tokens"),
    ),
    "few_shot": _CLASSES,
    "zero_shot": _CLASSES,
    "matching": ("matching",),
}
"""Ways that suit a text encoder made of attention layers; by the last two nothing of it is trained."""

CONVOLUTION_WAYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("linear_probe", "full", "lora", "dora", "adalora", "bitfit"), TASKS),
    "few_shot": _CLASSES,
}
"""Ways that suit a convolutional net."""

SOUND_WAYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("linear_probe", "full", "lora", "dora", "adalora", "ia3", "adapter", "prefix", "bitfit"),
        TASKS,
    ),
    "few_shot": _CLASSES,
}
"""Ways that suit an encoder of sounds made of attention layers."""

PICTURE_WAYS = SOUND_WAYS
"""Ways that suit an encoder of pictures made of attention layers."""
