"""DDM: an error rate that leaves its lowest level by three standard deviations."""

from __future__ import annotations

from river.drift.binary import DDM


class Ddm:
    """Drift detection method (Gama et al. 2004), for errors that are 0 or 1.

    Parameters
    ----------
    warm_start : int
        Values before the first alarm.
    """

    name = "ddm"

    def __init__(self, warm_start: int = 100) -> None:
        self._detector = DDM(warm_start=warm_start)

    def update(self, value: float) -> bool:
        """Take 1 for an error and 0 for none, and return whether drift is found: errors have become more."""
        self._detector.update(bool(value))
        return bool(self._detector.drift_detected)
