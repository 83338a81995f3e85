"""Scripts that put no space between words: which characters are shown together, so that a person can read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNPARTED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han, as characters of a regular expression's set."""

_UNPARTED = re.compile(f"[{UNPARTED}]")


def unparted(character: str) -> bool:
    """Return whether a character is of a script that puts no space between words."""
    return _UNPARTED.fullmatch(character) is not None


def pairs(strengths: Mapping[int, float]) -> set[int]:
    """Return which neighbours are taken together: the strongest pair first, each piece in one pair at most.

    Most words of Chinese have two characters, and the pair that an answer rests on most is one more often than not.
    No dictionary is asked, from which no model learnt.

    Parameters
    ----------
    strengths : mapping of int to float
        By the place of the first of two pieces that may be taken together, how much both weigh, with its sign.

    Examples
    --------
    >>> sorted(pairs({0: 0.2, 1: -0.9, 2: 0.3, 4: 0.1}))
    [1, 4]
    """
    taken: set[int] = set()
    for place in sorted(strengths, key=lambda one: (-abs(strengths[one]), one)):
        if not {place - 1, place, place + 1} & taken:
            taken.add(place)
    return taken
