"""What is explained: one network, what prepares its input, and one number that it makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from luban.core.preparation import Preparation

    Score = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A network at work on one row.

    Parameters
    ----------
    body : torch.nn.Module
        Where to look for token vectors and feature maps.
    preparation : Preparation
        Makes its tensors.
    score : callable
        From the tensors of m variants of the row to the score of each, shape (m,); differentiable.
    unit : str
        Of the score, in words.
    towards : str
        What a larger score speaks for, in words.
    """

    body: torch.nn.Module
    preparation: Preparation
    score: Score
    unit: str
    towards: str
