"""Rules as people write them: ``drift.share > 0.3``."""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any, cast

from luban.core.errors import InputError
from luban.monitoring.alerts.figures import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.alert import AlertRule, Comparison

_RULE = re.compile(r"\s*(\S(?:.*?[^\s<>=])?)\s*(>=|<=|>|<)\s*(\S+)\s*")
_HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def parsed(text: str) -> tuple[str, Comparison, float]:
    """Return (figure, comparison, limit) of a rule, or raise `InputError`.

    Examples
    --------
    >>> parsed("columns.*.psi >= 0.2")
    ('columns.*.psi', '>=', 0.2)
    """
    found = _RULE.fullmatch(text)
    try:
        limit = float(found[3]) if found else math.nan
    except ValueError:
        limit = math.nan
    if found is None or not math.isfinite(limit):
        raise InputError(
            "the rule cannot be read",
            seen=repr(text)[:100],
            remedy="Write a figure, one of > >= < <=, and a number: 'drift.share > 0.3'.",
        )
    return found[1], cast("Comparison", found[2]), limit


def crossed(rule: AlertRule, figures: Mapping[str, float]) -> tuple[str, float, bool] | None:
    """Return (figure, value, whether the limit is crossed), None where there is no such figure.

    Of the figures that a pattern means the one furthest over the limit counts.
    """
    found = matching(figures, rule.figure)
    if not found:
        return None
    furthest = max if rule.comparison in (">", ">=") else min
    name = furthest(found, key=lambda key: found[key])
    return name, found[name], _HOLDS[rule.comparison](found[name], rule.limit)
