"""The space that a search walks: a name for each parameter, and its distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Real:
    """A real number in [low, high], on a logarithmic scale where `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Integer:
    """A whole number in [low, high], on a logarithmic scale where `log`."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of the values, which have no order."""

    values: tuple[Any, ...]


Distribution = Real | Integer | Choice
Space = Mapping[str, Distribution]
