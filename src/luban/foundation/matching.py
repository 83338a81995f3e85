"""Answers ranked by embedding: a question goes to the answer whose entries lie nearest to it.

An entry is the vector of an answer's own text, or of a question that is known to be answered by it; an answer scores
as its best entry. Cosines become probabilities by a temperature that held-out questions choose, and an answer is given
only above a threshold that they choose too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.core.errors import InputError
from luban.foundation.features import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEMPERATURES = np.geomspace(0.005, 0.5, 60)
_BLOCK = 2_048


@dataclass(frozen=True, kw_only=True)
class Index:
    """Entries of K answers.

    Attributes
    ----------
    vectors : numpy.ndarray
        float32, shape (m, d), each of length 1, sorted by answer.
    codes : numpy.ndarray
        int64, shape (m,), non-decreasing: the answer of each entry, 0..K-1.
    count : int
        K.
    """

    vectors: np.ndarray
    codes: np.ndarray
    count: int


def index(vectors: np.ndarray, codes: Sequence[int] | np.ndarray, count: int) -> Index:
    """Return an index of entries; each of the `count` answers needs at least one.

    Parameters
    ----------
    vectors : numpy.ndarray
        Shape (m, d), of any length.
    codes : sequence of int
        The answer of each entry.

    Raises
    ------
    InputError
        If an answer has no entry.
    """
    numbers = np.asarray(codes, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    present = np.bincount(numbers, minlength=count)
    if len(present) > count or not present[:count].all():
        missing = int((present[:count] == 0).sum())
        raise InputError("each answer needs an entry to be found by", seen=f"{missing:,} of {count:,} have none")
    return Index(vectors=unit(np.asarray(vectors, dtype=np.float32)[order]), codes=numbers[order], count=count)


def similarities(questions: np.ndarray, entries: Index, *, without: np.ndarray | None = None) -> np.ndarray:
    """Return the cosine of each question with the best entry of each answer, float32, shape (n, K).

    Parameters
    ----------
    questions : numpy.ndarray
        Shape (n, d).
    without : numpy.ndarray, optional
        int64, shape (n,): for each question the place of an entry in the sorted index that it may not use (itself), or
        -1. An answer that has no other entry scores -1.
    """
    starts = np.searchsorted(entries.codes, np.arange(entries.count))
    result = np.empty((len(questions), entries.count), dtype=np.float32)
    for at in range(0, len(questions), _BLOCK):
        cosines = unit(np.asarray(questions[at : at + _BLOCK], dtype=np.float32)) @ entries.vectors.T
        if without is not None:
            own = without[at : at + _BLOCK]
            rows = np.flatnonzero(own >= 0)
            cosines[rows, own[rows]] = -1.0
        result[at : at + _BLOCK] = np.maximum.reduceat(cosines, starts, axis=1)
    return result


def probabilities(cosines: np.ndarray, temperature: float) -> np.ndarray:
    """Return the softmax of cosines over the answers, float64, rows that sum to 1."""
    scaled = np.asarray(cosines, dtype=np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_temperature(cosines: np.ndarray, target: np.ndarray) -> float:
    """Return the temperature under which the right answers of held-out questions are most likely.

    Parameters
    ----------
    cosines : numpy.ndarray
        Shape (n, K), of questions that are no entries.
    target : numpy.ndarray
        int64, shape (n,).
    """
    if not len(target):
        return 0.05
    rows = np.arange(len(target))

    def loss(temperature: float) -> float:
        return float(-np.log(np.maximum(probabilities(cosines, temperature)[rows, target], 1e-12)).mean())

    return float(min(_TEMPERATURES, key=loss))


def fit_threshold(scores: np.ndarray, right: np.ndarray, *, precision: float = 0.9) -> float:
    """Return the lowest score above which at least `precision` of held-out questions are answered rightly.

    Where no score is good enough for that, the one with which most are answered rightly less those answered wrongly.

    Parameters
    ----------
    scores : numpy.ndarray
        Shape (n,): the score of the best answer of each question.
    right : numpy.ndarray
        bool, shape (n,): whether it is the right one (false for questions that have none).
    """
    if not len(scores):
        return 0.0
    order = np.argsort(-np.asarray(scores), kind="stable")
    sorted_scores = np.asarray(scores)[order]
    hits = np.cumsum(np.asarray(right, dtype=bool)[order])
    answered = np.arange(1, len(order) + 1)
    # Questions of one score are answered together or not at all.
    last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    good = np.flatnonzero(last & (hits >= precision * answered))
    if len(good):
        return float(sorted_scores[good[-1]])
    gain = np.where(last, 2 * hits - answered, -np.inf)
    return float(sorted_scores[int(np.argmax(gain))])
