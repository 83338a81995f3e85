"""Results as one HTML page: the reports in them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, Unavailable
from luban.core.report import Report

if TYPE_CHECKING:
    from pathlib import Path


def check(path: Path) -> None:
    """Raise `InputError` where no page can be written to `path`, before any work is done."""
    if not path.absolute().parent.is_dir():
        raise InputError("the folder of the page does not exist", seen=str(path.absolute().parent))
    if path.is_dir():
        raise InputError("the page must be a file", seen=f"{path} is a folder")


def write(result: Any, path: Path) -> None:
    """Write the reports of a result as a page that opens without a network."""
    from luban.surfaces.render import html

    reports = reports_of(result)
    if not reports:
        raise InputError("there is no report in this result", remedy="Leave --html out.")
    subject = reports[0].subject
    try:
        path.write_text(html.render(reports, title=f"{reports[0].check}: {subject}"), encoding="utf-8")
    except OSError as error:
        raise Unavailable("the page cannot be written", seen=str(error)) from error


def reports_of(result: Any) -> tuple[Report, ...]:
    """Return all reports in a result, in order."""
    if isinstance(result, Report):
        return (result,)
    if isinstance(result, tuple | list):
        return tuple(report for item in result for report in reports_of(item))
    if is_dataclass(result):
        return tuple(report for field in fields(result) for report in reports_of(getattr(result, field.name)))
    return ()
