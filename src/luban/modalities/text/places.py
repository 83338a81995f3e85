"""Which characters of a text each of its tokens stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luban.core.preparation import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Encoding

_WORD = re.compile(r"\S+")
_NOWHERE = Place(-1)


def places(found: Encoding, texts: Sequence[str], prefix: str) -> list[Place]:
    """Return the place of each token of a row; those of the prefix and the special ones stand for no text."""
    told = []
    for (start, end), text in zip(found.offsets, found.sequence_ids, strict=True):
        if text is None or end <= len(prefix) or end <= start:
            told.append(_NOWHERE)
        else:
            first = max(0, start - len(prefix))
            told.append(Place(text, first, min(end - len(prefix), len(texts[text]))))
    return told


def places_of_words(found: Encoding, text: str, skipped: int) -> list[Place]:
    """Return the place of each token of a text that was read word by word, the first `skipped` words of a prefix."""
    begins = [one.start() for one in _WORD.finditer(text)]
    told = []
    for (start, end), word in zip(found.offsets, found.word_ids, strict=True):
        if word is None or word < skipped or end <= start:
            told.append(_NOWHERE)
        else:
            begin = begins[word - skipped]
            told.append(Place(0, begin + start, begin + end))
    return told
