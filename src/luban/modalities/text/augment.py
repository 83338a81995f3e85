"""Texts varied at random: words left out and swapped.

Of the four operations of J. Wei and K. Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks" (EMNLP 2019), the two that need no dictionary. In scripts that put no space between words
(Chinese, Japanese, Thai, ...) a word is one character.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luban.core.space import Real

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from luban.core.space import Space

SPACE: Space = {"word_dropout": Real(0.0, 0.3), "word_swaps": Real(0.0, 0.2)}

# Ideographs, kana, Thai, Lao, Khmer and Burmese; a run of them is cut into characters with their marks.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u9fff"
_UNSPACED += r"\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
_WORD = re.compile(rf"[{_UNSPACED}][{_MARKS}]*|[^\s{_UNSPACED}]+|\s+")


def varied(text: str, parameters: Mapping[str, Any], random: np.random.Generator) -> str:
    """Return the text with some of its words left out, and some swapped with another.

    Parameters
    ----------
    text : str
    parameters : mapping
        ``word_dropout``: chance of each word to be left out; ``word_swaps``: swaps as a share of the words.
    random : numpy.random.Generator
    """
    dropout, swaps = float(parameters.get("word_dropout", 0.0)), float(parameters.get("word_swaps", 0.0))
    if dropout <= 0 and swaps <= 0:
        return text
    pieces = _WORD.findall(text)
    places = [place for place, piece in enumerate(pieces) if not piece.isspace()]
    if len(places) < 2:
        return text
    for _ in range(int(random.binomial(len(places), min(1.0, swaps)))):
        one, other = random.choice(len(places), 2, replace=False)
        first, second = places[one], places[other]
        pieces[first], pieces[second] = pieces[second], pieces[first]
    if dropout > 0:
        kept = random.random(len(places)) >= dropout
        if not kept.any():  # something must be left to learn from
            kept[random.integers(len(places))] = True
        for place, stays in zip(places, kept, strict=True):
            if not stays:
                pieces[place] = ""
    return re.sub(r"\s{2,}", " ", "".join(pieces)).strip()
