"""Class labels: their natural order, which is the positive one, and how different spellings are matched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luban.data.sources.values import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.core.task import Label

# Of two labels the one that says "no" comes first, so that the last is what one looks for.
_NEGATIVE = frozenset(
    {"no", "n", "false", "0", "-1", "negative", "neg", "absent", "normal", "healthy", "benign", "control"}
    | {"legit", "legitimate", "genuine", "ham", "否", "无", "负", "正常", "健康"}
)
_POSITIVE = frozenset(
    {"yes", "y", "true", "1", "positive", "pos", "present", "abnormal", "anomaly", "attack", "fraud", "case"}
    | {"disease", "faulty", "cancer", "是", "有", "正", "异常"}
)


def order(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Return labels in natural order: False before True, numbers by size, text with its numbers by size.

    Of two labels the negative one comes first where their words say which it is (``normal`` before ``abnormal``).
    """
    ordered = sorted(labels, key=_natural)
    if len(ordered) == 2:
        first, last = (str(text(label)).strip().lower() for label in ordered)
        if first in _POSITIVE and last in _NEGATIVE:
            ordered.reverse()
    return tuple(ordered)


def _natural(label: Label) -> tuple[Any, ...]:
    if isinstance(label, bool | int | float):
        return (0, float(label), ())
    pieces = re.split(r"(\d+)", label)
    try:
        return (0, float(label), ())
    except ValueError:
        return (1, 0.0, tuple((1, "", int(one)) if one.isdecimal() else (0, one, 0) for one in pieces))


def spelling(label: Any) -> str:
    """Return the text under which a label is matched: ``1``, ``1.0`` and ``"1"`` are one label."""
    if isinstance(label, str):
        plain = label.strip()
        if plain.lower() in {"true", "false"}:
            return plain.lower()
        try:
            number = float(plain)
        except ValueError:
            return plain
        digits = plain.lstrip("+-")
        code = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        return plain if code or number != number or "_" in plain else str(text(number))  # noqa: PLR0124
    return str(text(label))


def look_alikes(labels: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the groups of different labels that are the same but for case and spaces, sorted.

    Examples
    --------
    >>> look_alikes(["Cat", "cat ", "dog"])
    [('Cat', 'cat ')]
    """
    groups: dict[str, set[str]] = {}
    for label in labels:
        if isinstance(label, str):
            groups.setdefault("".join(label.split()).casefold(), set()).add(label)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def alike_note(target: str, labels: Iterable[Any]) -> list[str]:
    """Return what to say of labels that are the same but for case and spaces; nothing where there are none."""
    alike = look_alikes(labels)
    if not alike:
        return []
    groups = "; ".join(" and ".join(repr(one[:60]) for one in group) for group in alike[:5])
    return [f"Labels of {target!r} that differ by case or spaces only are taken as different ones: {groups}."]


def spaces_note(target: str, values: Iterable[Any]) -> list[str]:
    """Return what to say of values that are one label but for spaces around them; nothing where there are none.

    Examples
    --------
    >>> spaces_note("y", ["yes", " yes ", "no"])
    ["Labels of 'y' that differ by spaces around them only are taken as one: 'yes' and ' yes '."]
    """
    spelt = {value for value in values if isinstance(value, str)}
    spaced = sorted(one for one in spelt if one != one.strip() and one.strip() in spelt)
    if not spaced:
        return []
    pairs = "; ".join(f"{one.strip()[:60]!r} and {one[:60]!r}" for one in spaced[:5])
    return [f"Labels of {target!r} that differ by spaces around them only are taken as one: {pairs}."]


def some(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
