"""Texts as weighted pieces: words, pairs of words and runs of letters, each with its number in a vocabulary."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from luban.core.errors import InputError, Tampered
from luban.core.preparation import Tensor
from luban.modalities import settings
from luban.modalities.program import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.preparation import Program

VOCABULARY = "vocabulary.json"
_TOKEN = re.compile(r"\w+|[^\w\s]")
# Scripts that put no space between words: there runs of one to three letters tell most.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_RUNS, _LONGEST = range(3, 6), 20_000


@dataclass(frozen=True, kw_only=True)
class TextNgrams:
    """The pieces of one text column that a vocabulary knows.

    Tensors of shape (n, L), L being the pieces of the longest text of the batch: ``pieces``, int64, 0 for none, and
    ``weights``, float32: (1 + ln count) * inverse document frequency, of length 1 a row (Salton and Buckley 1988).

    Parameters
    ----------
    columns : tuple of str
        One.
    vocabulary : tuple of str
        Piece number 1 is the first.
    frequencies : tuple of float
        Inverse document frequency of each piece.
    """

    name: ClassVar[str] = "text_ngrams"

    columns: tuple[str, ...]
    vocabulary: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) != 1 or len(self.vocabulary) != len(self.frequencies):
            raise InputError("pieces are made of one text column, each with its frequency", seen=str(self.columns))

    @classmethod
    def learnt(cls, column: str, texts: Sequence[str | None], *, most: int, least: int = 2) -> TextNgrams:
        """Return the preparation with the pieces that at least so many of the texts have, the most frequent ones."""
        documents: Counter[str] = Counter()
        for text in texts:
            documents.update(set(pieces(text or "")))
        known = sorted(
            (piece for piece, count in documents.items() if count >= least), key=lambda one: (-documents[one], one)
        )
        chosen = tuple(known[:most])
        total = 1 + len(texts)
        frequencies = tuple(float(np.float32(np.log(total / (1 + documents[piece])) + 1.0)) for piece in chosen)
        return cls(columns=(column,), vocabulary=chosen, frequencies=frequencies)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        return {"pieces": Tensor(dtype="int64", shape=(None,)), "weights": Tensor(dtype="float32", shape=(None,))}

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensors of these rows; a missing text has no piece."""
        found = [self.known(text or "") for text in table.column(self.columns[0]).to_pylist()]
        longest = max([1, *(len(numbers) for numbers, _ in found)])
        made = np.zeros((len(found), longest), dtype=np.int64)
        weights: np.ndarray = np.zeros((len(found), longest), dtype=np.float32)
        for row, (numbers, values) in enumerate(found):
            made[row, : len(numbers)], weights[row, : len(numbers)] = numbers, values
        return {"pieces": made, "weights": weights}

    def known(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, int64, and the weights, float32, of the pieces of one text."""
        numbers = self._numbers
        counts = Counter(number for piece in pieces(text) if (number := numbers.get(piece)) is not None)
        found = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        values = (1.0 + np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))) * self._idf[
            found - 1
        ]
        length = float(np.sqrt((values**2).sum()))
        return found, (values / length if length else values).astype(np.float32)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {piece: place for place, piece in enumerate(self.vocabulary, 1)}

    @cached_property
    def _idf(self) -> np.ndarray:
        return np.array(self.frequencies, dtype=np.float64)

    def save(self) -> Mapping[str, bytes]:
        """Return the settings and the vocabulary."""
        content = json.dumps([self.vocabulary, self.frequencies], ensure_ascii=False, separators=(",", ":"))
        return {
            settings.NAME: settings.written(self, without=("vocabulary", "frequencies")),
            VOCABULARY: content.encode("utf-8", "surrogatepass"),
        }

    def program(self) -> Program:
        """Return the program that makes the same tensors without Luban."""
        return program("text", file="ngrams_alone.py")

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> TextNgrams:
        """Return what `save` wrote, or raise `Tampered` where it is damaged."""
        read = settings.read(cls, payloads)
        try:
            vocabulary, frequencies = json.loads(payloads[VOCABULARY].decode("utf-8", "surrogatepass"))
            sound = (
                all(isinstance(one, str) for one in vocabulary)
                and np.isfinite(np.array(frequencies, dtype=float)).all()
            )
        except (KeyError, ValueError, TypeError) as error:
            raise Tampered("a saved vocabulary cannot be read", seen=repr(error)[:160]) from error
        if not sound or len(set(vocabulary)) != len(vocabulary) or len(vocabulary) != len(frequencies):
            raise Tampered("a saved vocabulary cannot be read", seen="pieces and frequencies that do not fit")
        return cls(**read, vocabulary=tuple(vocabulary), frequencies=tuple(map(float, frequencies)))


def pieces(text: str) -> list[str]:
    """Return the words, pairs of words and runs of 3 to 5 letters of a text; of unspaced scripts runs of 1 to 3.

    Examples
    --------
    >>> pieces("On it")
    ['on', '< on', '<on ', '< on ', 'it', '< it', '<it ', '< it ', 'on it']
    """
    tokens = _TOKEN.findall(text[:_LONGEST].lower())
    found: list[str] = []
    for token in tokens:
        if _UNSPACED.search(token):
            found += [token[start : start + size] for size in (1, 2, 3) for start in range(len(token) - size + 1)]
            continue
        found.append(token)
        padded = f" {token} "
        found += ["<" + padded[start : start + size] for size in _RUNS for start in range(len(padded) - size + 1)]
    found += [f"{one} {other}" for one, other in pairwise(tokens)]
    return found
