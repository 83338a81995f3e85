"""What tells that values have drifted."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Detector(Protocol):
    """A drift detector (group ``luban.detectors``)."""

    def update(self, value: float) -> bool:
        """Take one value and return whether drift is found."""
