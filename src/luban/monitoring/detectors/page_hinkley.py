"""Page-Hinkley: a cumulative sum that rises when values stay above their mean."""

from __future__ import annotations

from river.drift import PageHinkley as RiverPageHinkley


class PageHinkley:
    """Page's (1954) test with Hinkley's (1971) mean, for a rise.

    Parameters
    ----------
    delta : float
        Change of the mean that is tolerated.
    threshold : float
        Sum of excesses from which it is drift.
    """

    name = "page_hinkley"

    def __init__(self, delta: float = 0.05, threshold: float = 25.0) -> None:
        self._detector = RiverPageHinkley(min_instances=30, delta=delta, threshold=threshold, mode="up")

    def update(self, value: float) -> bool:
        """Take one value and return whether drift is found: the mean has risen."""
        self._detector.update(value)
        return bool(self._detector.drift_detected)
