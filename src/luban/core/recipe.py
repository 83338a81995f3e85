"""A recipe: the only configuration language, a serialisable graph of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Step:
    """One component with its parameters, fed by the steps named in `inputs`."""

    component: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Steps in an order in which each comes after its inputs, and the seed of them all."""

    steps: tuple[Step, ...]
    seed: int = 0
