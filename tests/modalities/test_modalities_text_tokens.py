"""Texts become tokens, and what is lost on the way is said."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from media import tokenizer

from luban.core.errors import InputError, Tampered
from luban.core.preparation import Augmenting, Inspecting
from luban.modalities.text import augment
from luban.modalities.text.languages import language, languages
from luban.modalities.text.scripts import main_script, scripts
from luban.modalities.text.text_tokens import TextTokens
from luban.testing.preparation import check_preparation

TABLE = pa.table({"said": ["good films", None, "a bad film", "", "好店"], "then": ["the film", None, "a", "b", None]})


@pytest.mark.parametrize(
    "options",
    [
        {"columns": ["said"]},
        {"columns": ["said", "then"]},
        {"columns": ["said"], "max_length": 4},
        {"columns": ["said"], "words": True},
        {"columns": ["said"], "prefix": "the "},
        {"columns": ["said", "then"], "max_length": 6, "truncation": "only_second"},
    ],
    ids=["one", "pair", "cut", "words", "prefix", "pair cut"],
)
def test_tokens_keep_the_protocol(options):
    columns = options.pop("columns")
    preparation = TextTokens.of(columns, tokenizer(), **options)
    check_preparation(preparation, TABLE)
    assert isinstance(preparation, Augmenting)
    assert isinstance(preparation, Inspecting)


def test_tokens_of_a_text_and_of_a_pair():
    one = TextTokens.of(["said"], tokenizer())(TABLE.slice(0, 2))
    assert one["input_ids"].tolist() == [[2, 4, 6, 9, 3], [2, 3, 0, 0, 0]]
    assert one["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    pair = TextTokens.of(["said", "then"], tokenizer())(TABLE.slice(0, 1))
    assert pair["token_type_ids"].tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_words_know_their_tokens():
    found = TextTokens.of(["said"], tokenizer(), words=True, prefix="the")(TABLE.slice(0, 1))
    assert found["word_ids"].tolist() == [[-1, -1, 0, 1, 1, -1]]


def test_padding_at_the_left_ends_with_the_text():
    found = TextTokens.of(["said"], tokenizer(), left=True)(TABLE.slice(0, 2))
    assert found["input_ids"][1].tolist() == [0, 0, 0, 2, 3]
    assert found["attention_mask"][1].tolist() == [0, 0, 0, 1, 1]


def test_a_row_without_any_token_has_one_that_counts():
    plain = json.loads(tokenizer())
    plain["post_processor"] = None
    found = TextTokens.of(["said"], json.dumps(plain).encode())(TABLE.slice(1, 1))
    assert found["attention_mask"].tolist() == [[1]]
    assert found["input_ids"].tolist() == [[0]]


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="two as a pair"):
        TextTokens.of(["a", "b", "c"], tokenizer())
    with pytest.raises(InputError, match="cannot be cut"):
        TextTokens.of(["a"], tokenizer(), truncation="somehow")
    with pytest.raises(InputError, match="no room is left"):
        TextTokens.of(["said"], tokenizer(), max_length=2)(TABLE)
    with pytest.raises(Tampered, match="tokenizer cannot be read"):
        TextTokens.of(["said"], b"{}")
    saved = TextTokens.of(["said"], tokenizer()).save()
    settings = json.loads(saved["preparation.json"])
    for change in ({"max_length": "long"}, {"preparation": "image_pixels"}, {"form": 2}, {"shell": "rm"}):
        with pytest.raises(Tampered):
            TextTokens.load({**saved, "preparation.json": json.dumps({**settings, **change}).encode()})


def test_what_is_lost_is_said():
    preparation = TextTokens.of(["said"], tokenizer(), max_length=4)
    many = pa.table({"said": ["good bad good bad"] * 5 + ["สวัสดี ครับ"] * 5 + [None, "  "]})
    said = {one.what.split(" ")[-1]: one for one in preparation.inspect(many)}
    words = " ".join(one.what for one in said.values())
    assert "longer than 4 tokens" in words
    assert "have no text" in words
    assert "Thai" in words
    assert all(one.remedy for one in said.values())
    assert preparation.lengths(many).tolist() == [6] * 5 + [4] * 5 + [2, 2]
    assert np.allclose(preparation.unknown(many)[5:10], 1.0)
    empty = pa.table({"said": pa.array([None, None], pa.string())})
    assert preparation.inspect(empty)[0].verdict == "block"
    assert list(preparation.inspect(empty.slice(0, 0))) == []
    hurried = preparation.inspect(pa.concat_tables([many] * 100), seconds=0.0)
    assert "seen by 50 of 1,200 rows" in hurried[-1].what, "there is time for one part of them"
    assert {one.what for one in hurried[:-1]} & {one.what for one in said.values()}, "which is like the others"


def test_words_are_left_out_and_swapped_but_never_all():
    random = np.random.default_rng(0)
    text = "one two three four five six seven eight"
    swapped = augment.varied(text, {"word_swaps": 0.5}, random)
    assert sorted(swapped.split()) == sorted(text.split())
    assert swapped != text
    dropped = [augment.varied(text, {"word_dropout": 0.99}, random) for _ in range(20)]
    assert all(one and set(one.split()) < set(text.split()) for one in dropped)
    chinese = augment.varied("这个酒店很好", {"word_dropout": 0.5}, random)
    assert chinese and set(chinese) < set("这个酒店很好")  # noqa: PT018
    assert augment.varied("alone", {"word_dropout": 0.9, "word_swaps": 0.9}, random) == "alone"


def test_labels_of_words_forbid_varying_them():
    preparation = TextTokens.of(["said"], tokenizer(), words=True)
    taken = preparation.taken(TABLE)
    assert preparation.varied(taken, {"word_dropout": 0.9}, np.random.default_rng(0)) == taken


@pytest.mark.parametrize(
    ("text", "script", "code"),
    [
        ("The hotel was not what I had hoped for", "Latin", "en"),
        ("Das Hotel war nicht das, was ich erwartet habe", "Latin", "de"),
        ("L'hôtel est très bien mais le petit déjeuner ne l'est pas", "Latin", "fr"),
        ("酒店很好，我很喜欢", "Han", "zh"),
        ("ホテルはとても良かったです", "Hiragana", "ja"),
        ("호텔이 아주 좋았습니다", "Hangul", "ko"),
        ("Отель был очень хороший, но не для всех", "Cyrillic", "ru"),
        ("โรงแรมดีมาก", "Thai", "th"),
        ("1234 !?", None, "und"),
        ("", None, "und"),
    ],
)
def test_scripts_and_languages(text, script, code):
    assert main_script([text]) == script
    assert language(text) == code


def test_shares_of_scripts_and_languages_add_up():
    assert scripts(["好 ab", None]) == {"Latin": 0.6667, "Han": 0.3333}
    assert languages(["this is the best", "das ist nicht gut", None, "zzz"]) == {"en": 0.5, "de": 0.5}


def test_a_script_that_no_list_has_is_named_by_its_letters():
    """Whoever reads that a tokenizer does not know a script is told which."""
    from luban.modalities.text.inspect import _named

    assert _named(["ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺ", "𐎠𐎡𐎢", None]) == ["Runic", "Old Persian"]
    assert _named(["好"]) == ["Han"]
