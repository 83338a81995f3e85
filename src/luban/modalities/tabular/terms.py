"""The n-grams of tokens that are counted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.modalities.tabular.tokens import Tokens

_MOST_TOKENS = 30_000  # the fourth power is below 2^63, so that an n-gram is one whole number


@dataclass(frozen=True)
class Terms:
    """The kept n-grams, the short ones first.

    Parameters
    ----------
    grams : tuple of tuples of str
        Distinct; one to four tokens each.
    """

    grams: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.grams)

    @classmethod
    def fit(cls, tokens: Tokens, *, shortest: int, longest: int, limit: int) -> Terms:
        """Return the n-grams of so many tokens that most texts have, `limit` at most, each in two texts at least."""
        counts = np.bincount(tokens.indices, minlength=len(tokens.levels))
        frequent = np.lexsort((np.arange(len(counts)), -counts))[:_MOST_TOKENS]
        identifiers = np.full(len(counts), -1, dtype=np.int64)
        identifiers[frequent] = np.arange(len(frequent))
        found: list[tuple[int, tuple[str, ...]]] = []
        for length, rows, keys in _grams(identifiers[tokens.indices], tokens.offsets, longest):
            if length < shortest:
                continue
            distinct, place = np.unique(keys, return_inverse=True)
            pairs = np.unique(rows * max(1, len(distinct)) + place)
            present = np.bincount(pairs % max(1, len(distinct)), minlength=len(distinct))
            for one in np.argsort(-present, kind="stable")[:limit]:
                if present[one] < 2:
                    break
                found.append((int(present[one]), _tokens(int(distinct[one]), length, frequent, tokens.levels)))
        best = sorted(found, key=lambda one: (-one[0], len(one[1]), one[1]))[:limit]
        return cls(tuple(sorted((gram for _, gram in best), key=lambda gram: (len(gram), gram))))

    @cached_property
    def _identifiers(self) -> dict[str, int]:
        """The whole number of each token that is part of a term."""
        return {
            token: place for place, token in enumerate(dict.fromkeys(token for gram in self.grams for token in gram))
        }

    @cached_property
    def _keys(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By length: the keys of the terms, ascending, and the place of each term."""
        by_length: dict[int, list[tuple[int, int]]] = {}
        for place, gram in enumerate(self.grams):
            key = 0
            for token in gram:
                key = key * _MOST_TOKENS + self._identifiers[token]
            by_length.setdefault(len(gram), []).append((key, place))
        sorted_pairs = {length: np.array(sorted(pairs), dtype=np.int64) for length, pairs in by_length.items()}
        return {length: (pairs[:, 0], pairs[:, 1]) for length, pairs in sorted_pairs.items()}

    def count(self, tokens: Tokens) -> Any:
        """Return how often each text has each term: a sparse array (texts, terms), float32."""
        from scipy.sparse import csr_array

        known = np.array([self._identifiers.get(level, -1) for level in tokens.levels], dtype=np.int64)
        all_rows, all_places = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for length, rows, keys in _grams(known[tokens.indices], tokens.offsets, max(self._keys, default=0)):
            if length not in self._keys:
                continue
            terms, places = self._keys[length]
            where = np.minimum(np.searchsorted(terms, keys), len(terms) - 1)
            hit = terms[where] == keys
            all_rows.append(rows[hit])
            all_places.append(places[where[hit]])
        rows, places = np.concatenate(all_rows), np.concatenate(all_places)
        shape = (len(tokens.offsets) - 1, len(self))
        counts = csr_array((np.ones(len(rows), dtype=np.float32), (rows, places)), shape=shape)
        counts.sum_duplicates()
        return counts

    def attributes(self, weights: np.ndarray) -> dict[str, Any]:
        """Return the attributes of the ONNX operator ``TfIdfVectorizer`` that counts and weighs the same terms."""
        lengths = [len(gram) for gram in self.grams]
        longest = max(lengths)
        starts = np.cumsum([0, *(length * lengths.count(length) for length in range(1, longest))])
        return {
            "mode": "TFIDF",
            "min_gram_length": min(lengths),
            "max_gram_length": longest,
            "max_skip_count": 0,
            "ngram_counts": starts.tolist(),
            "ngram_indexes": list(range(len(self))),
            "pool_strings": [token for gram in self.grams for token in gram],
            "weights": weights.tolist(),
        }


def _grams(identifiers: np.ndarray, offsets: np.ndarray, longest: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield (length, row, key) of the runs of known tokens within each text; a negative identifier is unknown."""
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    keys = identifiers
    for length in range(1, longest + 1):
        if length > 1:
            tail, same = identifiers[length - 1 :], rows[length - 1 :] == rows[: len(rows) - length + 1]
            head = keys[: len(tail)]
            keys = np.where(same & (head >= 0) & (tail >= 0), head * _MOST_TOKENS + tail, -1)
        valid = keys >= 0
        yield length, rows[: len(keys)][valid], keys[valid]


def _tokens(key: int, length: int, frequent: np.ndarray, levels: list[str]) -> tuple[str, ...]:
    places = [key // _MOST_TOKENS**power % _MOST_TOKENS for power in reversed(range(length))]
    return tuple(levels[frequent[place]] for place in places)
