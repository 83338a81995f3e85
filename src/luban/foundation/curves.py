"""The course of a training: kept short while it goes on, and told as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.curves import LONGEST, chosen, thinned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.foundation.training.work import Point

# A rate or a speed of 0 is none: no step was taken since the point before.
_FIGURES: Mapping[str, Callable[[Point], float | None]] = {
    "loss": lambda one: one.criterion,
    "training_loss": lambda one: one.training,
    "validation_loss": lambda one: one.validation,
    "learning_rate": lambda one: one.rate or None,
    "rows_per_second": lambda one: one.speed or None,
}


def told(history: Sequence[Point]) -> dict[str, tuple[tuple[int, float], ...]]:
    """Return (step, value) pairs by the names of metrics, see `luban.core.protocols.Recounting`.

    ``loss`` is what early stopping goes by.
    """
    found = {}
    for name, figure in _FIGURES.items():
        known = {one.step: value for one in history if (value := figure(one)) is not None}
        curve = thinned(list(known.items()))
        if curve:
            found[name] = curve
    return found


def shorten(history: list[Point], most: int = LONGEST) -> None:
    """Thin a history out where it has become long, so that a training of days takes no more memory than one of minutes.

    Points with an evaluation are thinned apart from the others; the last one of each stays.
    """
    if len(history) <= 4 * most:
        return
    kept: list[int] = []
    for evaluated in (True, False):
        places = [place for place, one in enumerate(history) if (one.criterion is not None) == evaluated]
        kept += [places[one] for one in chosen([history[place].step for place in places], most)]
    history[:] = [history[place] for place in sorted(kept)]
