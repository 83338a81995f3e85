"""The figures of a report by name, as rules speak of them."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from luban.core.report import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.report import Report


def figures(report: Report) -> dict[str, float]:
    """Return every number of a report by its path with dots: ``drift.share``, ``columns.age.psi``.

    ``verdict`` is 0 for info and pass, 1 for warn, 2 for block; true and false are 1 and 0.

    Examples
    --------
    >>> from luban.core.report import Report
    >>> figures(Report(check="monitoring", subject="a", verdict="warn", findings=(), figures={"drift": {"share": 0.5}}))
    {'verdict': 1.0, 'drift.share': 0.5}
    """
    found = {"verdict": float(max(0, SEVERITY.index(report.verdict) - 1))}
    _walk("", report.figures, found)
    return found


def _walk(path: str, value: Any, found: dict[str, float]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _walk(f"{path}.{key}" if path else str(key), item, found)
    elif isinstance(value, bool | int | float) and math.isfinite(value):
        found[path] = float(value)


def matching(found: Mapping[str, float], name: str) -> dict[str, float]:
    """Return the figures that a name means: itself, or those that fit its pattern (``columns.*.psi``)."""
    if name in found:
        return {name: found[name]}
    return {key: value for key, value in found.items() if fnmatchcase(key, name)} if "*" in name else {}
