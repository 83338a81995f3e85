"""The gate of slices: no part of the rows may be clearly worse off than before."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation.bins import cut
from luban.evaluation.slices import loss_by_row
from luban.review.gates.limit import number

if TYPE_CHECKING:
    from luban.core.contest import Contest, Limit

FEWEST = 30
"""Rows of a slice."""

_CHANCE = 0.05  # that any slice is blocked though none is worse off
_SHOWN = 10


class SlicesGate:
    """Parts of single columns (quarters of numbers, common categories), by the paired difference of the loss of rows.

    A slice is worse off where the lower end of the interval of its mean loss, challenger less champion, is beyond the
    limit: a share of the champion's mean loss over all rows. Bounds are those of all slices together (Bonferroni).
    """

    name = "slices"
    limit: Limit = 0.1

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return the slice that is worst off."""
        most = number(self.name, limit)
        target, table = contest.fresh.target, contest.fresh.table
        named, before = loss_by_row(contest.task, target, contest.champion.prediction)
        after = loss_by_row(contest.task, target, contest.challenger.prediction)[1]
        gap, whole = after - before, max(float(before.mean()), 1e-12)
        found = []
        for column in contest.schema.columns:
            parts = cut(column, table[column.name])
            if parts is None:
                continue
            for code, label in enumerate(parts.labels):
                mine = gap[parts.codes == code]
                if len(mine) >= FEWEST:
                    error = float(mine.std(ddof=1) / np.sqrt(len(mine)))
                    found.append((label, len(mine), float(mine.mean()) / whole, error / whole))
        if not found:
            return Finding(what="There are too few rows for slices", verdict="pass", value=None, threshold=most)
        width = NormalDist().inv_cdf(1 - _CHANCE / len(found))
        rows = sorted(
            ((label, count, mean, mean - width * error) for label, count, mean, error in found),
            key=lambda row: -row[3],
        )
        label, count, mean, low = rows[0]
        passed = low <= most
        what = f"Of {len(found)} slices none is clearly worse off"
        if not passed:
            what = (
                f"Where {label} ({count:,} rows) the {named} grows by {percent(mean)} of its mean, by {percent(low)} "
                "at least"
            )
        return Finding(
            what=what,
            verdict="pass" if passed else "block",
            value=low,
            threshold=most,
            remedy="" if passed else "Look at these rows: the challenger trades them for others.",
            evidence=(
                Evidence(
                    title=f"Change of the mean {named} by slice, as a share of that of all rows, the worst first",
                    columns=("slice", "rows", "change", "at least"),
                    rows=tuple(rows[:_SHOWN]),
                ),
            ),
        )
