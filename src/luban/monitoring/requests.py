"""How requests to a deployment ended, and how many of their rows the prediction log lost, as figures and findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.report import Finding
from luban.data.shares import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST = 0.01
"""Share of requests that failed, or of rows that the log dropped, from which the verdict is a warning."""


def requests(counts: Mapping[str, int]) -> tuple[list[Finding], dict[str, Any]]:
    """Return what is to be told of these counts, and the figures ``requests`` and ``log``.

    Parameters
    ----------
    counts : mapping of str to int
        By outcome, as `luban.store.outcomes.Outcomes` has them.

    Returns
    -------
    tuple
        Findings, and figures: ``requests`` (``count``, ``failed``, ``failed_share``) and ``log`` (``stored``,
        ``dropped``, ``dropped_share``, ``without_consent``); empty where nothing was counted.
    """
    asked = counts.get("answered", 0) + counts.get("failed", 0)
    failed, dropped, stored = (counts.get(one, 0) for one in ("failed", "dropped", "stored"))
    found: list[Finding] = []
    figures: dict[str, Any] = {}
    if asked:
        share = failed / asked
        figures["requests"] = {"count": asked, "failed": failed, "failed_share": share}
        remedy = "The model raised, did not answer in time, or gave no number: the server's log says why."
        found.append(_told(f"{failed:,} of {asked:,} requests failed", failed, share, remedy))
    if asked or stored or dropped:
        share = dropped / (stored + dropped) if dropped else 0.0
        figures["log"] = {
            "stored": stored,
            "dropped": dropped,
            "dropped_share": share,
            "without_consent": counts.get("without_consent", 0),
        }
        if dropped:
            remedy = (
                "More came than could be written, or the database or the disk did not take it: see the server's log."
            )
            what = f"The prediction log lost {dropped:,} of {stored + dropped:,} rows"
            found.append(_told(what, dropped, share, remedy))
    return found, figures


def _told(what: str, count: int, share: float, remedy: str) -> Finding:
    return Finding(
        what=f"{what} ({percent(share)})" if count else what,
        verdict="warn" if share >= LEAST else "info" if count else "pass",
        value=share,
        threshold=LEAST,
        remedy=remedy if count else "",
    )
