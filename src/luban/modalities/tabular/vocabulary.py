"""From the levels of a category to whole numbers, the frequent ones first.

A column with c kept levels has the codes 0..c-1 for them, c for every other value (a level too rare to be kept, or
one that was never seen: both are levels with too few examples to learn from) and c+1 for a missing one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError

if TYPE_CHECKING:
    from luban.core.protocols import Graph

_FEW_ROWS = 256  # below this, looking values up one by one is faster than building a dictionary


class Vocabulary:
    """The kept levels of one column.

    Parameters
    ----------
    levels : tuple of str
        Distinct and not empty, in the order of their codes.
    """

    def __init__(self, levels: tuple[str, ...]) -> None:
        self.levels = levels

    @property
    def other(self) -> int:
        """The code of rare and of unseen levels."""
        return len(self.levels)

    @property
    def missing(self) -> int:
        """The code of a missing value."""
        return len(self.levels) + 1

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.levels) + 2

    @cached_property
    def _codes(self) -> dict[str | None, int]:
        codes: dict[str | None, int] = {level: code for code, level in enumerate(self.levels)}
        codes[None] = codes[""] = self.missing
        return codes

    @classmethod
    def fit(cls, values: pa.ChunkedArray, min_count: int, max_levels: int) -> tuple[Vocabulary, np.ndarray]:
        """Return the vocabulary of a column and the codes of its values, shape (n,), int64.

        Levels with fewer than `min_count` rows are not kept, nor more than `max_levels` of them. Ties are broken by
        the level itself, so that the order of the rows does not matter.
        """
        levels, indices = _dictionary(values)
        present = indices[indices >= 0]
        counts = np.bincount(present, minlength=len(levels))
        empty = np.fromiter((level == "" for level in levels), dtype=bool, count=len(levels))
        alphabetical = np.empty(len(levels), dtype=np.int64)
        alphabetical[np.argsort(np.array(levels, dtype=object), kind="stable")] = np.arange(len(levels))
        order = np.lexsort((alphabetical, -counts))
        order = order[(counts[order] >= max(1, min_count)) & ~empty[order]][:max_levels]
        vocabulary = cls(tuple(levels[i] for i in order))
        mapping = np.full(len(levels) + 1, vocabulary.other, dtype=np.int64)
        mapping[order] = np.arange(len(order))
        mapping[:-1][empty] = vocabulary.missing
        mapping[-1] = vocabulary.missing  # index -1: null
        return vocabulary, mapping[indices]

    def encode(self, values: pa.ChunkedArray) -> np.ndarray:
        """Return the codes of values, shape (n,), int64."""
        get, other = self._codes.get, self.other
        if len(values) <= _FEW_ROWS:
            return np.array([get(value, other) for value in values.to_pylist()], dtype=np.int64)
        levels, indices = _dictionary(values)
        mapping = np.array([*(get(level, other) for level in levels), self.missing], dtype=np.int64)
        codes: np.ndarray = mapping[indices]
        return codes

    def to_graph(self, graph: Graph, column: str) -> str:
        """Add the look-up and return the tensor of the codes, shape (n, 1), int64."""
        tensor: str = graph.node(
            "LabelEncoder",
            graph.column(column),
            domain="ai.onnx.ml",
            keys_strings=[*self.levels, ""],
            values_int64s=[*range(len(self.levels)), self.missing],
            default_int64=self.other,
        )
        return tensor


def _dictionary(values: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the distinct values, and for each row the index of its value (-1 where null)."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise InputError("a category column must hold strings", seen=str(values.type))
    encoded = values.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return [], np.empty(0, dtype=np.int64)
    indices = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    return encoded.chunk(0).dictionary.to_pylist(), np.concatenate(indices).astype(np.int64)
