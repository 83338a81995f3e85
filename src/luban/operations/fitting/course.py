"""What a report tells of the way to its model: what was found before the work, and how the losses fell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luban.core.report import Evidence, Finding, Report, worst

if TYPE_CHECKING:
    from luban.search.result import StudyResult

# A curve of fewer points shows nothing; more than so many curves in one chart cannot be told apart.
_POINTS, _CURVES = 3, 6


def with_course(report: Report, result: StudyResult) -> Report:
    """Return the evaluation with the findings of the preflight and the curves of the members' fits."""
    findings = (*report.findings, *result.findings, *_curves(result))
    return replace(report, findings=findings, verdict=worst(findings))


def _curves(result: StudyResult) -> list[Finding]:
    drawn = [line for line in result.leaderboard if line.weight and len(line.curve) >= _POINTS][:_CURVES]
    if not drawn:
        return []
    evidence = tuple(
        Evidence(
            title=f"{line.learner} {line.parameters}".strip(),
            columns=("step", "validation loss"),
            rows=tuple((step, loss) for step, loss in line.curve),
            drawing="line",
            x="step",
            y="loss",
        )
        for line in drawn
    )
    names = ", ".join(dict.fromkeys(line.learner for line in drawn))
    return [Finding(what=f"Loss on held-out rows while {names} learnt", evidence=evidence)]
