"""Texts to tokens, as the model's network takes them: numpy and the package tokenizers alone.

This file stands beside `preparation.json` (the settings) and `tokenizer.json`, and needs nothing else of Luban.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path


@lru_cache(maxsize=8)
def _tokenizer(path: Path, length: int, strategy: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(length, strategy=strategy)
    return tokenizer


def _encode(texts: list[Any], settings: dict[str, Any], path: Path) -> list[Any]:
    strategy = settings["truncation"] if len(settings["columns"]) == 2 else "longest_first"
    tokenizer = _tokenizer(path, settings["max_length"], strategy)
    try:
        return list(tokenizer.encode_batch(texts, is_pretokenized=settings["words"]))
    except Exception:
        if strategy == "longest_first":
            raise
    found = []
    for text in texts:  # one text of a pair may leave no room for the other: then both are cut
        try:
            found.append(tokenizer.encode_batch([text])[0])
        except Exception:  # noqa: BLE001 - the library raises a bare Exception
            found.append(_tokenizer(path, settings["max_length"], "longest_first").encode_batch([text])[0])
    return found


def prepare(rows: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the tensors of rows ({column: text}); None is an empty text."""
    settings = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    prefix, texts = settings["prefix"], [[row.get(name) or "" for name in settings["columns"]] for row in rows]
    given: list[Any] = [tuple(prefix + one for one in row) if len(row) == 2 else prefix + row[0] for row in texts]
    if settings["words"]:
        given = [prefix.split() + one.split() for (one,) in texts]
    found = _encode(given, settings, folder / "tokenizer.json")

    longest = max([1, *map(len, found)])
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * settings["types"] + ["word_ids"] * settings["words"]
    tensors = {name: np.zeros((len(found), longest), dtype=np.int64) for name in names}
    tensors["input_ids"][:] = settings["pad"]
    if settings["words"]:
        tensors["word_ids"][:] = -1
    skipped = len(settings["prefix"].split())
    for row, one in enumerate(found):
        # A row without any token has one padding token that counts as real.
        start = longest - max(1, len(one)) if settings["left"] else 0
        place = slice(start, start + len(one))
        tensors["input_ids"][row, place] = one.ids
        tensors["attention_mask"][row, start : start + max(1, len(one))] = 1
        if settings["types"]:
            tensors["token_type_ids"][row, place] = one.type_ids
        if settings["words"]:
            words = [-1 if word is None or word < skipped else word - skipped for word in one.word_ids]
            tensors["word_ids"][row, place] = words
    return tensors
