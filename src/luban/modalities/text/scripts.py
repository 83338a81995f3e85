"""Which scripts texts are written in, by the letters of each (Unicode property Script, as the engine RE2 knows it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

SCRIPTS = (
    *("Latin", "Han", "Hiragana", "Katakana", "Hangul", "Cyrillic", "Arabic", "Hebrew", "Greek", "Devanagari"),
    *("Thai", "Bengali", "Tamil", "Telugu", "Gujarati", "Kannada", "Malayalam", "Gurmukhi", "Armenian", "Georgian"),
    *("Khmer", "Lao", "Myanmar", "Sinhala", "Ethiopic", "Tibetan", "Mongolian", "Bopomofo"),
)


def scripts(texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> dict[str, float]:
    """Return each script's share of all letters, the largest first, ``other`` for those not listed.

    Examples
    --------
    >>> scripts(["好 ab"])
    {'Latin': 0.6667, 'Han': 0.3333}
    """
    values = _strings(texts)
    letters = _count(values, r"\p{L}")
    if not letters:
        return {}
    counts: dict[str, int] = {}
    left = letters
    for name in SCRIPTS:
        if left <= 0:
            break
        found = _count(values, rf"\p{{{name}}}")
        if found:
            counts[name] = found
            left -= found
    if left > 0:
        counts["other"] = left
    whole = sum(counts.values())  # marks belong to scripts and are no letters
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    return {name: round(count / whole, 4) for name, count in ranked}


def main_script(texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> str | None:
    """Return the script of most letters, or None where there are no letters."""
    return next(iter(scripts(texts)), None)


def _strings(texts: pa.ChunkedArray | pa.Array | Iterable[str | None]) -> pa.Array | pa.ChunkedArray:
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return texts.cast(pa.large_string())
    return pa.array(texts, pa.large_string())


def _count(values: pa.Array | pa.ChunkedArray, pattern: str) -> int:
    return int(pc.sum(pc.count_substring_regex(values, pattern)).as_py() or 0)
