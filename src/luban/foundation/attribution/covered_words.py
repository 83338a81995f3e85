"""Which words of a text an answer rests on, by leaving each out: for models that tell nothing of themselves."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from luban.core.report import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

# A word, or one character of a script that puts no space between words.
_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\\W_]+(?:'\\w+)?"
)
_PARTED = re.compile(r"\S+")
# Longer texts are covered in stretches of several words, so that there are no more variants than these.
_MOST = 256
_AT_ONCE = 32
_LEAST = 1e-12


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
    variants = [
        f"{text[:start]}{_covering(text[start:end], instead)} {text[end:]}"
        for start, end in zip(begins, ends, strict=True)
    ]
    whole = float(score([text])[0])
    lost: list[float | None] = []
    for start in range(0, len(variants), _AT_ONCE):
        if start and time.monotonic() > deadline:
            lost += [None] * (len(variants) - start)
            break
        lost += [whole - float(value) for value in score(variants[start : start + _AT_ONCE])]
    largest = max(abs(value) for value in lost if value is not None)
    rows: list[tuple[str, float | None]] = [(text[: begins[0]], 0.0)] if begins[0] else []
    rows += [
        (text[start:end], None if value is None else round(value / max(largest, _LEAST), 3))
        for start, end, value in zip(begins, ends, lost, strict=True)
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


def _covering(piece: str, instead: str) -> str:
    """Return what stands in the place of a piece: nothing, or as many words as it has."""
    return " ".join([instead] * len(piece.split())) if instead else ""
