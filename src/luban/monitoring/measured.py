"""What is measured between the rows a model learnt from and a window of later rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How far one column has moved, or one thing about it.

    Parameters
    ----------
    what : str
        ``"drift"``, ``"missing"``, ``"out_of_range"`` or ``"unseen"``.
    chance : float
        p-value: the chance to see at least this where nothing has changed.
    effect : float
        Size of the change, from 0 to 1; what it is depends on the kind of column.
    least : float
        The effect from which a change is worth a person's time.
    figures : mapping of str to float
        What else was measured, by name.
    """

    what: str
    chance: float
    effect: float
    least: float
    figures: Mapping[str, float] = field(default_factory=dict)
