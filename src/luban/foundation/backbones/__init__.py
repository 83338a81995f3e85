"""The backbones that Luban knows by name (group ``luban.backbones``), one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TASKS = ("binary", "multiclass", "multilabel", "regression")
"""What every backbone serves."""

TEXT_TASKS = (*TASKS, "tokens", "matching")

ATTENTION_WAYS = (
    "linear_probe",
    "full",
    "lora",
    "dora",
    "adalora",
    "ia3",
    "adapter",
    "prefix",
    "prompt",
    "bitfit",
    "few_shot",
    "zero_shot",
    "matching",
)
"""Ways that suit a text encoder made of attention layers; by the last two nothing of it is trained."""

CONVOLUTION_WAYS = ("linear_probe", "full", "lora", "dora", "adalora", "bitfit", "few_shot")
"""Ways that suit a convolutional net."""

SOUND_WAYS = ("linear_probe", "full", "lora", "dora", "adalora", "ia3", "adapter", "prefix", "bitfit", "few_shot")
"""Ways that suit an encoder of sounds made of attention layers."""

PICTURE_WAYS = SOUND_WAYS
"""Ways that suit an encoder of pictures made of attention layers."""

_CLASSES = ("binary", "multiclass")
ONLY = {"few_shot": _CLASSES, "zero_shot": _CLASSES, "matching": ("matching",)}
"""The tasks of ways that serve some alone, whatever the backbone: answers are ranked by one way, and by no other."""


def served(tasks: Sequence[str], ways: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return which of the tasks of a backbone each of its ways serves.

    Examples
    --------
    >>> served(("binary", "regression", "matching"), ("lora", "few_shot", "matching"))
    {'lora': ('binary', 'regression'), 'few_shot': ('binary',), 'matching': ('matching',)}
    """
    ranked = ONLY["matching"]
    usual = tuple(task for task in tasks if task not in ranked)
    return {way: tuple(task for task in tasks if task in ONLY.get(way, usual)) for way in ways}
