"""The few pieces of Markdown that a card is made of; whatever comes from data stays text."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What would begin markup, a link, a cell or HTML.
_MARKS = re.compile(r"([\\`*_\[\]<>|#~$!])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def text(value: Any) -> str:
    """Return a value as plain text in Markdown, on one line."""
    plain = _CONTROLS.sub(" ", str(value)).strip()
    return _MARKS.sub(r"\\\1", plain).replace("\\<", "&lt;").replace("\\>", "&gt;")


def code(value: Any) -> str:
    """Return a value as code within a line."""
    plain = _CONTROLS.sub(" ", str(value)).strip()
    fence = "`" * (max((len(run) for run in re.findall(r"`+", plain)), default=0) + 1)
    room = " " if plain[:1] == "`" or plain[-1:] == "`" else ""
    return f"{fence}{room}{plain}{room}{fence}".replace("|", "\\|")


def block(lines: Iterable[str], language: str = "") -> str:
    """Return lines as a block of code."""
    whole = "\n".join(_CONTROLS.sub(" ", line) for line in lines)
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", whole)), default=0) + 1)
    return f"{fence}{language}\n{whole}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers to the right."""
    kept = [list(row) for row in rows]
    numeric = [
        bool(kept)
        and all(isinstance(row[place], int | float | None) and not isinstance(row[place], bool) for row in kept)
        for place in range(len(columns))
    ]
    head = f"| {' | '.join(map(text, columns))} |"
    rule = f"| {' | '.join('---:' if one else '---' for one in numeric)} |"
    body = [f"| {' | '.join(shown(value) for value in row)} |" for row in kept]
    return "\n".join([head, rule, *body])


def shown(value: Any) -> str:
    """Return a value of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    return text(value)


def number(value: float) -> str:
    """Return a number with four digits that count."""
    if not math.isfinite(value):
        return "not defined"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
