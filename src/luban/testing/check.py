"""What every check must do; run it over one of your own with `check_check`."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, get_args

from luban.core.protocols import Check
from luban.core.report import Drawing, Report, Verdict, worst
from luban.core.serial import from_json, to_json

if TYPE_CHECKING:
    from luban.core.protocols import Examples
    from luban.core.report import Evidence, Finding


def check_check(check: Check, model: Any, examples: Examples, **options: Any) -> Report:
    """Raise AssertionError where a check breaks the protocol; return its report.

    Parameters
    ----------
    check : Check
    model : loaded model
        As the check takes it.
    examples : Examples
    options
        Passed on to the check; a small budget, say.
    """
    assert isinstance(check, Check), f"{check!r} lacks a part of the protocol Check"
    before = examples.table, examples.target.copy()
    report = check.run(model, examples, **options)
    assert isinstance(report, Report), f"{check.name} returns {type(report).__name__}, not a Report"
    assert report.check == check.name, f"the report of {check.name} names itself {report.check!r}"
    assert examples.table.equals(before[0]), f"{check.name} is not read-only: the rows have changed"
    assert (examples.target == before[1]).all(), f"{check.name} is not read-only: the target has changed"
    check_report(report)
    return report


def check_report(report: Report) -> None:
    """Raise AssertionError where a report is not one that every face can show."""
    words = f"the report {report.check!r}"
    assert report.findings, f"{words} finds nothing, not even that all is well"
    assert report.verdict == worst(report.findings), (
        f"{words} says {report.verdict!r} while its worst finding says {worst(report.findings)!r}"
    )
    for finding in report.findings:
        _check_finding(words, finding)
    plain = to_json(report)
    again = from_json(Report, json.loads(json.dumps(plain, allow_nan=False)))
    assert to_json(again) == plain, f"{words} is another one after it was written and read as JSON"


def _check_finding(words: str, finding: Finding) -> None:
    assert finding.what.strip(), f"{words} has a finding without words"
    assert finding.verdict in get_args(Verdict), f"{words} has the verdict {finding.verdict!r}"
    serious = finding.verdict in ("warn", "block")
    assert finding.remedy or not serious, f"{words} warns of {finding.what!r} and does not say what to do"
    for evidence in finding.evidence:
        _check_evidence(words, evidence)


def _check_evidence(words: str, evidence: Evidence) -> None:
    title = f"{words}, {evidence.title!r}"
    assert evidence.title.strip(), f"{words} has evidence without a title"
    assert evidence.drawing in get_args(Drawing), f"{title} cannot be drawn as {evidence.drawing!r}"
    widths = {len(row) for row in evidence.rows} - {len(evidence.columns)}
    assert not widths, f"{title} has {len(evidence.columns)} columns but rows of {sorted(widths)} values"
    for row in evidence.rows:
        for value in row:
            assert value is None or isinstance(value, str | bool | int | float), (
                f"{title} holds a {type(value).__name__}, which is no plain value"
            )
    first = {"bar": 1, "heatmap": 1, "histogram": 0, "line": 0, "scatter": 0, "table": len(evidence.columns)}
    first |= {"spans": 1, "picture": len(evidence.columns)}
    if evidence.drawing == "picture":
        shown = all(
            str(row[1]).startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for row in evidence.rows
        )
        assert shown, f"{title} holds what is no picture"
    if evidence.drawing == "spans":
        weights = [row[1] for row in evidence.rows if row[1] is not None]
        assert all(-1 <= weight <= 1 for weight in weights), f"{title} has weights beyond 1"
    for row in evidence.rows:
        for value in row[first[evidence.drawing] :]:
            drawable = value is None or isinstance(value, int | float) or evidence.drawing in ("line", "scatter")
            assert drawable, f"{title} draws {value!r}, which is no number"
            assert not (isinstance(value, float) and math.isinf(value)), f"{title} holds an infinity"
