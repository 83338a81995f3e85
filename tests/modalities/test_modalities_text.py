"""Text in any script becomes components that tell texts apart."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.modalities.tabular import EncodingOptions, fit_encoding
from luban.modalities.tabular.tokens import count_characters, tokenise

SCHEMA = Schema(columns=(Column(name="t", kind="text"),))
TASK = Task(kind="binary", target="y", inputs=("t",), metric="roc_auc", classes=(0, 1))


def tokens(text: str | None, unit: str) -> list[str]:
    found = tokenise(pa.chunked_array([pa.array([text, "x"], pa.string())]), unit)
    return [found.levels[i] for i in found.indices[: found.offsets[1]]]


def test_tokens_of_english_and_chinese():
    assert tokens("Hello, World-2! 今天天气", "words") == ["hello", "world", "2", "今", "天", "天", "气"]
    assert tokens("Straße Ünal's", "words") == ["straße", "Ünal", "s"]
    assert tokens("Hi, 你!", "characters") == ["h", "i", " ", "你"]
    assert tokens(None, "words") == tokens("", "words") == tokens(" \x00 ,", "words") == []


def test_characters_are_counted_not_bytes():
    assert count_characters(pa.chunked_array([["价格", "", None, "naïve"]])).tolist() == [2, 0, 0, 5]


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_components_separate_topics(unit):
    """Texts of two topics lie on two sides of a component, in English and Chinese."""
    topics = [
        ["房间 很 干净", "服务 很 好 房间", "干净 房间 服务"],
        ["price too high", "the price is high", "high price too"],
    ]
    texts = [text for _ in range(10) for topic in topics for text in topic]
    target = np.array([place for _ in range(10) for place in (0, 0, 0, 1, 1, 1)])
    table = pa.table({"t": texts})
    encoding, matrix = fit_encoding(table, SCHEMA, TASK, target, EncodingOptions(text=unit), 0)
    parts = matrix[:, [i for i, name in enumerate(encoding.names) if "component" in name]]
    split = [abs(np.corrcoef(part, target)[0, 1]) for part in parts.T]
    assert max(split) > 0.95


def test_text_that_shares_nothing_has_lengths_alone():
    table = pa.table({"t": ["alpha", "beta gamma", "", "delta"]})
    encoding, matrix = fit_encoding(table, SCHEMA, TASK, np.array([0, 1, 0, 1]), EncodingOptions(), 0)
    assert encoding.names == ("t.characters", "t.tokens")
    assert matrix.tolist() == [[5, 1], [10, 2], [0, 0], [5, 1]]
