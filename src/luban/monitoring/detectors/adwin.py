"""ADWIN: a window that shrinks when its older and newer halves differ."""

from __future__ import annotations

from river.drift import ADWIN


class Adwin:
    """Adaptive windowing (Bifet and Gavaldà 2007).

    Parameters
    ----------
    delta : float
        Bound on the chance of a false alarm.
    """

    name = "adwin"

    def __init__(self, delta: float = 0.002) -> None:
        self._detector = ADWIN(delta=delta)

    def update(self, value: float) -> bool:
        """Take one value and return whether drift is found: the mean has changed, up or down."""
        self._detector.update(value)
        return bool(self._detector.drift_detected)
