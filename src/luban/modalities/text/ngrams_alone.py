"""Texts to weighted pieces (words, pairs of words, runs of letters) of a known vocabulary: numpy alone.

This file stands beside `preparation.json` (the settings) and `vocabulary.json`, and needs nothing else of Luban.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = re.compile(r"\w+|[^\w\s]")
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
LONGEST = 20_000


def pieces(text: str) -> list[str]:
    """Return the words, pairs of words and runs of 3 to 5 letters of a text; of unspaced scripts runs of 1 to 3."""
    tokens = TOKEN.findall(text[:LONGEST].lower())
    found: list[str] = []
    for token in tokens:
        if UNSPACED.search(token):
            found += [token[start : start + size] for size in (1, 2, 3) for start in range(len(token) - size + 1)]
            continue
        found.append(token)
        padded = f" {token} "
        found += ["<" + padded[start : start + size] for size in (3, 4, 5) for start in range(len(padded) - size + 1)]
    return found + [f"{one} {other}" for one, other in pairwise(tokens)]


@lru_cache(maxsize=8)
def read(folder: Path) -> tuple[str, dict[str, int], np.ndarray]:
    """Return the column, the number of each piece, and the inverse document frequencies."""
    settings = json.loads((folder / "preparation.json").read_text(encoding="utf-8"))
    content = (folder / "vocabulary.json").read_bytes().decode("utf-8", "surrogatepass")
    vocabulary, frequencies = json.loads(content)
    numbers = {piece: place for place, piece in enumerate(vocabulary, 1)}
    return settings["columns"][0], numbers, np.array(frequencies, dtype=np.float64)


def known(text: str, numbers: dict[str, int], frequencies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers and the weights of the pieces of one text."""
    counts = Counter(number for piece in pieces(text) if (number := numbers.get(piece)) is not None)
    found = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    values = 1.0 + np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))
    values = values * frequencies[found - 1]
    length = float(np.sqrt((values**2).sum()))
    return found, (values / length if length else values).astype(np.float32)


def prepare(rows: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the tensors of rows ({column: text}); None is an empty text."""
    column, numbers, frequencies = read(folder)
    found = [known(row.get(column) or "", numbers, frequencies) for row in rows]
    longest = max([1, *(len(one) for one, _ in found)])
    made = np.zeros((len(found), longest), dtype=np.int64)
    weights: np.ndarray = np.zeros((len(found), longest), dtype=np.float32)
    for row, (one, values) in enumerate(found):
        made[row, : len(one)], weights[row, : len(one)] = one, values
    return {"pieces": made, "weights": weights}
