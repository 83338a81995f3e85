"""What a check found, in a form that every face can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Verdict = Literal["info", "pass", "warn", "block"]
Drawing = Literal["table", "line", "bar", "scatter", "heatmap", "histogram", "spans", "picture"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A table, and how it is best drawn.

    Parameters
    ----------
    title : str
    columns : tuple of str
    rows : tuple of tuples
        One value (number, text, boolean or None) a column.
    drawing : Drawing
        ``line`` and ``scatter``: the first column is x, each other one a series;
        ``bar``: the first column holds labels, each other one a series;
        ``histogram``: the first two columns are the edges of a bin, each other one a count;
        ``heatmap``: the first column labels the rows, the other names label the columns;
        ``spans``: pieces of one text in order, each (piece, weight in [-1, 1], None where it was not read), drawn as
        highlighted text; ``picture``: each row (caption, ``data:image/<png or jpeg>;base64,...``).
    x, y : str
        Labels of the axes, with units.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    drawing: Drawing = "table"
    x: str = ""
    y: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    what : str
        A short sentence.
    verdict : Verdict
    value, threshold : float, str or None
        What was measured, and the limit it was held against.
    evidence : tuple of Evidence
    remedy : str
        What to do about it.
    """

    what: str
    verdict: Verdict = "info"
    value: float | str | None = None
    threshold: float | str | None = None
    evidence: tuple[Evidence, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of one check on one subject.

    Parameters
    ----------
    check : str
        Name of the check: ``"profile"``, ``"evaluation"``, ``"explanation"``, ...
    subject : str
        What was checked, such as ``"adult/1"``.
    verdict : Verdict
        The worst verdict of the findings.
    findings : tuple of Finding
    figures : mapping of str to JSON values
        The plain figures, for programs: ``{"roc_auc": 0.93}``.
    """

    check: str
    subject: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)


SEVERITY: tuple[Verdict, ...] = ("info", "pass", "warn", "block")


def worst(findings: tuple[Finding, ...]) -> Verdict:
    """Return the most severe verdict among the findings, ``"info"`` if there are none."""
    return max((finding.verdict for finding in findings), key=SEVERITY.index, default="info")
