"""What every gate must do; run it over one of your own with `check_gate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.contest import Gate
from luban.core.report import Report
from luban.testing.check import check_report

if TYPE_CHECKING:
    from luban.core.contest import Contest, Limit
    from luban.core.report import Finding


def check_gate(gate: Gate, contest: Contest, limit: Limit | None = None) -> Finding:
    """Raise AssertionError where a gate breaks the protocol; return its finding.

    Parameters
    ----------
    limit : float or str, optional
        Instead of its own.
    """
    assert isinstance(gate, Gate), f"{gate!r} lacks a part of the protocol Gate"
    before = contest.fresh.table, contest.fresh.target.copy(), contest.challenger.prediction.copy()
    finding = gate.judge(contest, gate.limit if limit is None else limit)
    assert finding.verdict in ("pass", "block"), f"{gate.name} says {finding.verdict!r}, neither pass nor block"
    assert contest.fresh.table.equals(before[0]), f"{gate.name} has changed the rows"
    assert (contest.fresh.target == before[1]).all(), f"{gate.name} has changed the target"
    assert (contest.challenger.prediction == before[2]).all(), f"{gate.name} has changed the predictions"
    check_report(Report(check="gates", subject="", verdict=finding.verdict, findings=(finding,)))
    return finding
