"""What every model must hold to that tells how its fit went (`luban.core.protocols.Recounting`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from luban.core.curves import LONGEST
from luban.core.protocols import Recounting

if TYPE_CHECKING:
    from luban.core.protocols import Model

_TAKEN = ("fit_seconds", "weight", "score")


def check_recounts(model: Model) -> None:
    """Check the curves of a model as its fit returned it.

    There is at least one; each has a name that a metric can bear and no other figure of the fit has, few enough points,
    steps that ascend, and values that are numbers. Asked again it tells the same.
    """
    assert isinstance(model, Recounting), f"{model.learner} does not tell how its fit went"
    curves = model.curves
    assert curves, "it tells nothing"
    for name, curve in curves.items():
        assert name.isidentifier(), f"{name!r} is no name of a metric in letters, digits and underscores"
        assert name not in _TAKEN, f"{name!r} is what the search itself records of a fit"
        assert 0 < len(curve) <= LONGEST, f"{name} has {len(curve):,} points; 1 to {LONGEST} can be kept"
        steps = [step for step, _ in curve]
        assert all(isinstance(step, int) and step >= 0 for step in steps), f"the steps of {name} are no whole numbers"
        assert steps == sorted(set(steps)), f"the steps of {name} do not ascend"
        assert all(isinstance(value, float) and math.isfinite(value) for _, value in curve), f"{name} has no numbers"
    again = model.curves
    assert {name: tuple(curve) for name, curve in again.items()} == {
        name: tuple(curve) for name, curve in curves.items()
    }, "asked again it tells something else"
