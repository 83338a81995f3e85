"""From the weights of tokens to pieces of the text, as a person reads it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from luban.foundation.attribution.unparted import pairs, unparted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from luban.core.preparation import Place


@dataclass
class _Word:
    start: int
    end: int
    weight: float


def words(text: str, places: Sequence[Place], weights: np.ndarray, column: int) -> list[tuple[str, float | None]]:
    """Return the pieces of a text, which make it up again, each with its weight.

    Tokens inside of a word are added up. Characters of scripts that do not part words by spaces, where the tokens part
    them, are added up in pairs that speak alike. What stands between two words belongs to the piece before it. What the
    network has not read has the weight None.
    """
    found: list[_Word] = []
    for place, weight in zip(places, weights, strict=True):
        if place.column != column or not text[place.start : place.end].strip():
            continue
        start = place.start + len(text[place.start : place.end]) - len(text[place.start : place.end].lstrip())
        if found and (start < found[-1].end or _joined(text, found[-1].end, start)):
            found[-1].end = max(found[-1].end, place.end)
            found[-1].weight += float(weight)
        else:
            found.append(_Word(start, place.end, float(weight)))
    found = _paired(text, found)
    if not found:
        return [(text, None)] if text else []
    pieces: list[tuple[str, float | None]] = [(text[: found[0].start], 0.0)] if found[0].start else []
    for place_, one in enumerate(found):
        end = found[place_ + 1].start if place_ + 1 < len(found) else _end(text, one.end)
        pieces.append((text[one.start : end], one.weight))
    rest = text[_end(text, found[-1].end) :]
    return [*pieces, (rest, None)] if rest else pieces


def _paired(text: str, found: Sequence[_Word]) -> list[_Word]:
    """Return the words with single characters of one script and one sign in pairs, see `unparted.pairs`."""

    def alone(one: _Word) -> bool:
        return one.end - one.start == 1 and unparted(text[one.start])

    together = {
        place: first.weight + second.weight
        for place, (first, second) in enumerate(pairwise(found))
        if first.end == second.start and alone(first) and alone(second) and first.weight * second.weight > 0
    }
    chosen = pairs(together)
    joined = [_Word(found[place].start, found[place + 1].end, together[place]) for place in chosen]
    rest = [one for place, one in enumerate(found) if not {place, place - 1} & chosen]
    return sorted([*joined, *rest], key=lambda one: one.start)


def _joined(text: str, end: int, start: int) -> bool:
    """Return whether two tokens are of one word: nothing between them, letters or digits that words are made of."""
    return end == start and _of_word(text[end - 1]) and _of_word(text[start])


def _of_word(character: str) -> bool:
    if character == "'":
        return True
    wide = unicodedata.east_asian_width(character) in ("W", "F")
    return not wide and (character.isalnum() or unicodedata.combining(character) > 0)


def _end(text: str, end: int) -> int:
    """Return where the spaces and marks behind a word end, as far as no word follows."""
    while end < len(text) and not text[end].isalnum():
        end += 1
    return end
