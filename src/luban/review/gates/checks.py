"""The gate of checks: what was found about the challenger must not forbid it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.report import Finding

if TYPE_CHECKING:
    from luban.core.contest import Contest, Limit


class ChecksGate:
    """The reports beside the challenger.

    The limit names the reports that must be there and be neither ``warn`` nor ``block``, with ``+`` between:
    ``evaluation+fairness``. Without names no report that is there may be ``block``.
    """

    name = "checks"
    limit: Limit = ""

    def judge(self, contest: Contest, limit: Limit) -> Finding:
        """Return which reports do not pass."""
        reports = contest.challenger.reports
        wanted = [one.strip() for one in str(limit).split("+") if one.strip()]
        if wanted:
            wrong = [f"there is no report {one!r}" for one in wanted if one not in reports]
            wrong += [
                f"{one} says {reports[one].verdict}"
                for one in wanted
                if one in reports and reports[one].verdict in ("warn", "block")
            ]
        else:
            wrong = [f"{name} says block" for name, report in sorted(reports.items()) if report.verdict == "block"]
        seen = ", ".join(f"{name}: {report.verdict}" for name, report in sorted(reports.items())) or "none"
        return Finding(
            what=f"Reports that do not pass: {'; '.join(wrong)}" if wrong else f"The reports pass ({seen})",
            verdict="block" if wrong else "pass",
            value=len(wrong),
            threshold=0,
            remedy="Read them: luban models show." if wrong else "",
        )
