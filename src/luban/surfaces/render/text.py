"""Names and values as they are shown, whatever they hold."""

from __future__ import annotations

import math
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

VERDICTS = {"info": "Note", "pass": "Pass", "warn": "Warning", "block": "Block"}
_NARROW = set(" .,:;'!|ijltfrI()[]-·")
_WIDE = set("mwMWQO@%—")
# Characters that turn the direction of what follows them, and so can make a name read as another.
_TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}


def clean(value: str) -> str:
    """Return a text without control characters (line ends become spaces) and without changes of direction."""
    kept = []
    for character in value:
        if character in "\n\r\t\x0b\x0c\x85\u2028\u2029":
            kept.append(" ")
        elif unicodedata.category(character) not in ("Cc", "Cs") and not _unfit(character):
            kept.append(character)
    return "".join(kept)


def _unfit(character: str) -> bool:
    return character in _TURNING or ord(character) & 0xFFFE == 0xFFFE  # the latter are no characters, and no XML


def column_shown(values: Sequence[Any]) -> list[str]:
    """Return the values of a table's column; numbers keep their last zeros, so that they stand in line."""
    fractions = any(isinstance(value, float) and not value.is_integer() for value in values)
    return [_number(value, zeros=True) if fractions and isinstance(value, float) else shown(value) for value in values]


def shown(value: Any) -> str:
    """Return a value of a report as text: four significant digits, thousands apart, a dash for what is missing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, date):
        return value.isoformat()
    return clean(str(value))


def _number(value: float, *, zeros: bool = False) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-4 or size >= 1e12:
        return f"{value:.2e}".replace("-", "−")
    digits = max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:,.{digits}f}"
    if "." in text and not zeros:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def is_number(value: Any) -> bool:
    """Return whether a value can be drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def width(text: str) -> float:
    """Return about how wide a text is, in units of its font size."""
    total = 0.0
    for character in text:
        if unicodedata.combining(character):
            continue
        if unicodedata.east_asian_width(character) in ("W", "F"):
            total += 1.0
        elif character in _NARROW:
            total += 0.36
        elif character in _WIDE or character.isupper():
            total += 0.86 if character in _WIDE else 0.7
        else:
            total += 0.6
    return total


def fitted(text: str, room: float) -> str:
    """Return the text, cut with an ellipsis where it is wider than `room` (in units of its font size)."""
    if width(text) <= room:
        return text
    kept, used = [], 0.8
    for character in text:
        used += width(character)
        if used > room:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"
