"""Errors in the order of time through the streaming detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.report import Evidence, Finding
from luban.data.shares import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.core.protocols import Detector

LONGEST = 100_000
"""Errors that are replayed, the newest."""

CHANCE = 0.002
"""Chance of a rise of errors where there is none, from which on an alarm counts."""

_POINTS = 120
_RECENT = tuple(25 * 2**step for step in range(12))


def alarms(detectors: Mapping[str, Detector], errors: np.ndarray) -> dict[str, list[int]]:
    """Return, by detector, the places of the values at which it found drift."""
    return {
        name: [place for place, value in enumerate(errors.tolist()) if detector.update(value)]
        for name, detector in detectors.items()
    }


def errors_over_time(
    detectors: Mapping[str, Detector], errors: np.ndarray, moments: np.ndarray, since: np.datetime64 | None
) -> tuple[Finding, dict[str, Any]]:
    """Return what the detectors say of the errors, and when.

    An alarm counts where the share of errors has risen, and at or after `since`; earlier ones are history.

    Parameters
    ----------
    errors : numpy.ndarray
        0 or 1 in the order of time, shape (n,).
    moments : numpy.ndarray
        datetime64, shape (n,).
    """
    errors, moments = errors[-LONGEST:], moments[-LONGEST:]
    found = alarms(detectors, errors)
    rising = {name: [place for place in places if _risen(errors, place)] for name, places in found.items()}
    recent = {
        name: sum(since is None or moments[place] >= since for place in places) for name, places in rising.items()
    }
    told = sorted(name for name, count in recent.items() if count)
    width = max(1, -(-len(errors) // _POINTS))
    blocks = [errors[start : start + width] for start in range(0, len(errors), width)]
    line = Evidence(
        title="Errors over time",
        columns=("labelled prediction", "share of errors"),
        rows=tuple((min((i + 1) * width, len(errors)), float(one.mean())) for i, one in enumerate(blocks)),
        drawing="line",
        x="labelled prediction",
        y="share of errors",
    )
    table = Evidence(
        title="Where errors became more",
        columns=("detector", "labelled prediction", "moment"),
        rows=tuple(
            (name, place + 1, str(moments[place])[:19]) for name, places in rising.items() for place in places[-20:]
        ),
    )
    says = f"Errors have become more: {', '.join(told)}" if told else "No detector finds that errors have become more"
    finding = Finding(
        what=f"{says} ({percent(float(errors.mean()))} of {len(errors):,} labelled predictions are wrong)",
        verdict="warn" if told else "pass",
        value=float(errors.mean()),
        evidence=(line, *((table,) if table.rows else ())),
        remedy="Look at the labelled rows since then; luban update learns from them." if told else "",
    )
    figures = {"errors": float(errors.mean()), "alarms": recent, "places": found}
    return finding, figures


def _risen(errors: np.ndarray, place: int) -> bool:
    """Return whether there are more errors before an alarm than earlier, by more than chance.

    Some detectors also see a fall, and DDM takes the ups and downs of few errors for a rise in up to half of the
    streams in which nothing changes. So the newest 25, 50, 100, ... values up to the alarm are held against those
    before them by Fisher's exact test, and the best of these is to stand after the guard for having chosen.
    """
    from scipy.stats import hypergeom

    seen = errors[: place + 1]
    total, wrong = len(seen), int(seen.sum())
    sizes = [size for size in _RECENT if 2 * size <= total] or [max(1, total // 2)]
    chances = [float(hypergeom.sf(seen[-size:].sum() - 1, total, wrong, size)) for size in sizes]
    return min(chances) * len(chances) <= CHANCE
