"""The gate of size: a model must not grow without bounds from update to update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.report import Finding
from luban.review.gates.limit import number

if TYPE_CHECKING:
    from luban.core.contest import Contest, Limit

SMALL = 5_000_000
"""Bytes: what is smaller is small enough, whatever the champion has."""


class SizeGate:
    """Bytes on disk; the limit is how many times as large as the champion the challenger may be."""

    name = "size"
    limit: Limit = 3.0

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return how many times as large it is."""
        most = number(self.name, limit)
        before, after = contest.champion.size, contest.challenger.size
        ratio = after / max(before, 1)
        passed = after <= SMALL or ratio <= most
        return Finding(
            what=f"It has {after / 1e6:.2f} MB, and had {before / 1e6:.2f} MB",
            verdict="pass" if passed else "block",
            value=ratio,
            threshold=most,
            remedy="" if passed else "Make it smaller (luban compress), or allow more: --gate size=5.",
        )
