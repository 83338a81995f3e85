"""Which words of a text an answer rests on, by leaving each out: for models that tell nothing of themselves."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from luban.core.report import Evidence
from luban.foundation.attribution.unparted import UNPARTED, pairs, unparted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

# A word, or one character of a script that puts no space between words.
_WORD = re.compile(f"[{UNPARTED}]|[^\\W_{UNPARTED}]+(?:'[^\\W{UNPARTED}]+)?")
_PARTED = re.compile(r"\S+")
# Longer texts are covered in stretches of several words, so that there are no more variants than these.
_MOST = 256
_AT_ONCE = 32
_LEAST = 1e-12

Piece = tuple[int, int]
"""Where a piece of a text begins and ends."""


def covered_words(
    column: str,
    text: str,
    score: Callable[[Sequence[str]], np.ndarray],
    *,
    unit: str,
    towards: str,
    deadline: float,
    instead: str = "",
) -> list[Evidence]:
    """Return what the score of a text loses as each of its words is left out; nothing for a text without words.

    Characters of scripts that put no space between words are left out one by one, then those in pairs that speak alike,
    see `luban.foundation.attribution.unparted.pairs`.

    Parameters
    ----------
    score : callable
        From variants of the text to the score of each, shape (m,).
    deadline : float
        Value of `time.monotonic` after which the rest of the words is left as not read.
    instead : str
        What stands in the place of a word that is left out; where words are counted, something that is one.
    """
    begins = [one.start() for one in (_PARTED if instead else _WORD).finditer(text)]
    if not begins:
        return []
    together = -(-len(begins) // _MOST)
    begins = begins[::together]
    ends = [*begins[1:], len(text)]
    whole = float(score([text])[0])

    def lost(pieces: Sequence[Piece]) -> list[float | None]:
        variants = [f"{text[:start]}{_covering(text[start:end], instead)} {text[end:]}" for start, end in pieces]
        found: list[float | None] = []
        for start in range(0, len(variants), _AT_ONCE):
            if start and time.monotonic() > deadline:
                return found + [None] * (len(variants) - start)
            found += [whole - float(value) for value in score(variants[start : start + _AT_ONCE])]
        return found

    pieces = list(zip(begins, ends, strict=True))
    known = dict(zip(pieces, lost(pieces), strict=True))
    if together == 1 and not instead and time.monotonic() < deadline:
        chosen = [(pieces[place], pieces[place + 1]) for place in sorted(pairs(_alike(text, pieces, known)))]
        both = [(first[0], second[1]) for first, second in chosen]
        for (first, second), joined, value in zip(chosen, both, lost(both), strict=True):
            if value is not None:
                del known[first], known[second]
                known[joined] = value
    largest = max(abs(value) for value in known.values() if value is not None)
    rows: list[tuple[str, float | None]] = [(text[: begins[0]], 0.0)] if begins[0] else []
    rows += [
        (text[start:end], None if value is None else round(value / max(largest, _LEAST), 3))
        for (start, end), value in sorted(known.items())
    ]
    return [
        Evidence(
            title=f"What in {column} speaks for {towards}",
            columns=("piece", "weight"),
            rows=tuple(rows),
            drawing="spans",
            y=f"a weight of 1 is {largest:.3g} {unit}, which is lost without the piece",
        )
    ]


def _alike(text: str, pieces: Sequence[Piece], known: Mapping[Piece, float | None]) -> dict[int, float]:
    """Return by its first place what each two pieces weigh that are characters side by side and of one sign."""
    found = {}
    for place, (first, second) in enumerate(pairwise(pieces)):
        one, other = known[first] or 0.0, known[second] or 0.0
        beside = second[0] == first[0] + 1 and unparted(text[first[0]]) and unparted(text[second[0]])
        if beside and one * other > 0:
            found[place] = one + other
    return found


def _covering(piece: str, instead: str) -> str:
    """Return what stands in the place of a piece: nothing, or as many words as it has."""
    return " ".join([instead] * len(piece.split())) if instead else ""
