"""The gate of quality: the challenger must be better, and not by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation.bootstrap import as_judged, bootstrap
from luban.evaluation.metrics import fitting
from luban.evaluation.words import number as short
from luban.review.gates.limit import number

if TYPE_CHECKING:
    from luban.core.contest import Contest, Limit
    from luban.core.protocols import Metric

DRAWS = 1000


class QualityGate:
    """A paired bootstrap of the difference of the task's metric (Efron and Tibshirani 1993, chapter 16).

    The limit is the least share of resamples in which the challenger is better (equal counts half): 0.9 by
    default, a one-sided test at 10 %. With 0.5 the better one wins, however slightly.
    """

    name = "quality"
    limit: Limit = 0.9

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return the difference with its interval, and how sure it is that there is one."""
        least = number(self.name, limit, 0.0, 1.0)
        one, other = contest.champion, contest.challenger
        rows = [_row(contest, metric) for metric in fitting(contest.task)]
        name, before, after, _, low, high, sure = rows[0]
        passed = sure >= least
        return Finding(
            what=f"On {len(contest.fresh.target):,} fresh rows {name} is {short(before)} of {one.reference} and "
            f"{short(after)} of {other.reference} (difference from {short(low)} to {short(high)}); it is better in "
            f"{percent(sure)} of the resamples",
            verdict="pass" if passed else "block",
            value=sure,
            threshold=least,
            remedy="" if passed else _remedy(contest, worse=sure <= 1 - least),
            evidence=(
                Evidence(
                    title="Paired comparison on fresh rows",
                    columns=("metric", one.reference, other.reference, "difference", "low", "high", "share better"),
                    rows=tuple(tuple(_plain(value) for value in row) for row in rows),
                ),
            ),
        )


def _remedy(contest: Contest, *, worse: bool) -> str:
    """Return what may help: where the champion is better for sure, more rows to judge by would say the same."""
    more = f", or raise {contest.budget}" if contest.budget else ""
    if worse:
        return f"The champion is better on these rows and stays. Learn from more labelled rows{more}."
    return f"It is too close to call: give more labelled rows{more}."


def _row(contest: Contest, metric: Metric) -> tuple[str, float, float, float, float, float, float]:
    """Return a metric's name, its two values, their difference with its interval, and how often the second is better.

    Every metric sees the same resamples; each contestant decides at its own threshold.
    """
    two = (contest.champion, contest.challenger)
    shown = [as_judged(metric, contest.task, one.prediction, one.threshold) for one in two]
    drawn = bootstrap([metric], contest.task, contest.fresh.target, shown, count=DRAWS, seed=contest.seed)
    gap = drawn.difference(0, 0, 1)
    gains = (drawn.draws[0, 1] - drawn.draws[0, 0]) * (1 if metric.greater_is_better else -1)
    gains = gains[np.isfinite(gains)]
    better = float((gains > 0).mean() + 0.5 * (gains == 0).mean()) if len(gains) else 0.0
    before, after = (float(value) for value in drawn.values[0])
    return metric.name, before, after, gap.value, gap.low, gap.high, better


def _plain(value: float | str) -> float | str | None:
    return value if isinstance(value, str) or np.isfinite(value) else None
