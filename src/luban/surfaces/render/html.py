"""Reports as one page that opens anywhere: no network, no script, light and dark, on screen and on paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from luban.core.report import Report
from luban.surfaces.render.charts.draw import draw
from luban.surfaces.render.text import VERDICTS, clean, column_shown, is_number, shown
from luban.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from luban.core.report import Evidence, Finding

_ROWS = 250


def render(reports: Report | Sequence[Report], title: str = "") -> str:
    """Return an HTML page of one or more reports.

    Everything that a report holds is text to this page: markup in names is shown, never run, and a content policy
    forbids scripts and any request.

    Parameters
    ----------
    reports : Report or sequence of Report
    title : str
        Heading of the page; by default the check and the subject of the first report.
    """
    several = (reports,) if isinstance(reports, Report) else tuple(reports)
    heading = title or " · ".join(filter(None, (several[0].check, several[0].subject))) if several else title
    return _template().render(
        title=clean(heading),
        version=__version__,
        reports=[_report(report, f"r{i + 1}") for i, report in enumerate(several)],
        words=VERDICTS,
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("luban.surfaces.render", "templates")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("report.html")


def _report(report: Report, key: str) -> dict[str, Any]:
    findings = [_finding(finding, f"{key}-{i + 1}") for i, finding in enumerate(report.findings)]
    return {
        "key": key,
        "check": clean(report.check).replace("_", " "),
        "subject": clean(report.subject),
        "verdict": report.verdict,
        "findings": findings,
        "counts": [
            (verdict, sum(one.verdict == verdict for one in report.findings))
            for verdict in ("block", "warn", "pass", "info")
        ],
    }


def _finding(finding: Finding, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "what": clean(finding.what),
        "verdict": finding.verdict,
        "value": None if finding.value is None else shown(finding.value),
        "threshold": None if finding.threshold is None else shown(finding.threshold),
        "remedy": clean(finding.remedy),
        "evidence": [_evidence(one, f"{key}-{i + 1}") for i, one in enumerate(finding.evidence)],
    }


def _evidence(evidence: Evidence, key: str) -> dict[str, Any]:
    rows = evidence.rows[:_ROWS]
    numeric = [
        any(is_number(row[i]) for row in rows)
        and all(row[i] is None or isinstance(row[i], int | float) for row in rows)
        for i in range(len(evidence.columns))
    ]
    texts = [column_shown([row[i] for row in rows]) for i in range(len(evidence.columns))]
    return {
        "key": key,
        "title": clean(evidence.title),
        "drawing": draw(evidence, key),
        "columns": [(clean(name), right) for name, right in zip(evidence.columns, numeric, strict=True)],
        "rows": [list(zip(row, numeric, strict=True)) for row in zip(*texts, strict=True)],
        "more": len(evidence.rows) - len(rows),
        "wide": evidence.drawing in ("spans", "picture") or (evidence.drawing == "table" and len(evidence.columns) > 6),
        "tabled": evidence.drawing != "picture",  # the figures of a picture are its points
    }
