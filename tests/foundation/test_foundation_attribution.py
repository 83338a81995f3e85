"""Pieces of a text that explanations show: words, and pairs of characters where no spaces part words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from luban.core.preparation import Place
from luban.foundation.attribution.covered_words import covered_words
from luban.foundation.attribution.spans import words
from luban.foundation.attribution.unparted import pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = "3星的酒店，早餐不错，but the staff's 态度太差!"


def pieces(text: str, worth: dict[str, float], *, deadline: float = math.inf, instead: str = "") -> dict[str, float]:
    """Return the pieces of a text with their weights, where each of these words is worth something."""

    def score(texts: Sequence[str]) -> np.ndarray:
        return np.array([sum(value for word, value in worth.items() if word in one) for one in texts])

    options = {"unit": "of log-odds", "towards": "good", "deadline": deadline, "instead": instead}
    (shown,) = covered_words("review", text, score, **options)
    assert "".join(str(row[0]) for row in shown.rows) == text, "the pieces make up the text again"
    return {str(row[0]): row[1] for row in shown.rows}


def test_words_without_spaces_are_left_out_two_characters_at_a_time() -> None:
    """What was planted is a piece of its own; figures and Latin words stay apart from what stands beside them."""
    found = pieces(TEXT, {"不错": 2.0, "太差": -4.0, "staff": 1.0})
    assert (found["不错，"], found["太差!"], found["staff's "]) == (0.5, -1.0, 0.25)
    assert found["3"] == 0.0
    assert {one for one, weight in found.items() if weight} == {"不错，", "太差!", "staff's "}


def test_where_words_are_counted_or_time_is_up_nothing_is_taken_together() -> None:
    """A label a word is asked for by words between spaces; a look that is late shows single characters."""
    assert pieces("早餐 不错", {"不错": 2.0}, instead="_") == {"早餐 ": 0.0, "不错": 1.0}
    late = pieces("早餐很不错" * 20, {"不错": 2.0}, deadline=-math.inf)
    assert None in late.values(), "what there was no time for is not said to weigh nothing"


def test_characters_that_a_tokenizer_parts_are_added_up_where_they_speak_alike() -> None:
    """The sum of the weights stays; those that speak against each other stay apart."""
    text = "房间很差"
    places = [Place(column=0, start=i, end=i + 1) for i in range(4)]
    assert words(text, places, np.array([0.1, 0.2, 0.5, 0.6]), 0) == [("房间", pytest.approx(0.3)), ("很差", 1.1)]
    assert words(text, places, np.array([0.1, -0.2, 0.5, -0.6]), 0) == list(
        zip(text, [0.1, -0.2, 0.5, -0.6], strict=True)
    )
    whole = [Place(column=0, start=0, end=2), *places[2:]]
    assert [one for one, _ in words(text, whole, np.ones(3), 0)] == ["房间", "很差"]


@given(st.dictionaries(st.integers(0, 30), st.floats(-5, 5), max_size=30))
def test_no_piece_is_in_two_pairs_and_none_that_is_free_is_left(strengths: dict[int, float]) -> None:
    found = pairs(strengths)
    assert not any(place + 1 in found for place in found)
    assert all({place - 1, place, place + 1} & found for place in strengths)
