"""Metrics of a label a word: of words, and of the entities that the labels mark.

A word whose prediction is missing (a text longer than the model reads) counts as wrong, and as no part of an entity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.score import Score, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Task

KIND = ("tokens",)
_SMALLEST = float(np.finfo(np.float64).eps)
OUTSIDE = "O"
Entity = tuple[str, int, int]
"""Its type, its first and its last word."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """All labelled words of some rows.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (m,): the row of each word.
    places : numpy.ndarray
        Shape (m,): its place in the row.
    target : numpy.ndarray
        Shape (m,): codes.
    prediction : numpy.ndarray
        Shape (m, K); 0 for a word that was not read.
    """

    rows: np.ndarray
    places: np.ndarray
    target: np.ndarray
    prediction: np.ndarray

    @property
    def decided(self) -> np.ndarray:
        """Codes decided for, shape (m,); -1 for a word that was not read."""
        return np.where(self.prediction.sum(axis=1) > 0, self.prediction.argmax(axis=1), -1)


def words(target: np.ndarray, prediction: np.ndarray) -> Words:
    """Return the labelled words of rows.

    Parameters
    ----------
    target : numpy.ndarray
        Codes, shape (n, L), -1 where there is no word or no label.
    prediction : numpy.ndarray
        Shape (n, M, K), NaN where there is no word or it was not read.
    """
    rows, places = np.nonzero(target >= 0)
    given = np.zeros((len(rows), prediction.shape[2]))
    near = places < prediction.shape[1]
    given[near] = np.nan_to_num(prediction[rows[near], places[near]], nan=0.0)
    return Words(rows=rows, places=places, target=target[rows, places], prediction=given)


def by_row(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Return the sum over the words of each row, shape (n,)."""
    return np.bincount(rows, weights=values, minlength=count)


def accuracy_of_words(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of the words that are labelled rightly."""
    found = words(target, prediction)
    right = by_row(found.decided == found.target, found.rows, len(target))
    return share(weights @ right, weights @ by_row(np.ones(len(found.rows)), found.rows, len(target)), np.nan)


def macro_of_words(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the unweighted mean of the labels' F1 scores over words, of the labels that are true or said somewhere."""
    found = words(target, prediction)
    hits, due, said = (np.zeros((len(weights), len(task.classes))) for _ in range(3))
    for code in range(len(task.classes)):
        true, decided = found.target == code, found.decided == code
        for counted, borne in ((hits, true & decided), (due, true), (said, decided)):
            counted[:, code] = weights @ by_row(borne, found.rows, len(target))
    present = (due + said) > 0
    return share(share(2 * hits, due + said, 0.0).sum(axis=1), present.sum(axis=1).astype(np.float64), np.nan)


def surprise_of_words(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the mean over the words of each row of -log of the probability given to the truth, in nats, shape (n,)."""
    found = words(target, prediction)
    return share(
        by_row(_surprise(found), found.rows, len(target)),
        by_row(np.ones(len(found.rows)), found.rows, len(target)),
        0.0,
    )


def log_loss_of_words(_task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean log loss over all words, in nats."""
    found = words(target, prediction)
    lost = by_row(_surprise(found), found.rows, len(target))
    return share(weights @ lost, weights @ by_row(np.ones(len(found.rows)), found.rows, len(target)), np.nan)


def _surprise(found: Words) -> np.ndarray:
    total = found.prediction.sum(axis=1)
    given = share(found.prediction[np.arange(len(found.target)), found.target], total, 0.0)
    surprised: np.ndarray = -np.log(np.clip(given, _SMALLEST, 1.0))
    return surprised


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities that a row of tags marks.

    Tags of the schemes IOB1, IOB2, IOE and IOBES (``B-PER``, ``I-PER``, ``E-PER``, ``S-PER``, ``O``) are read as
    ``conlleval`` (Tjong Kim Sang and De Meulder 2003) and seqeval in its default mode read them, so that an ``I-``
    behind ``O`` begins an entity. Of any other tag, words in a row are one entity.

    Examples
    --------
    >>> entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [('PER', 0, 1), ('LOC', 3, 3), ('LOC', 4, 4)]
    """
    found: list[Entity] = []
    before, kind, begin = OUTSIDE, "", 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        mark, now = _parsed(tag)
        changed = kind != now
        if before != OUTSIDE and (before in "ES" or mark in ("B", "S", OUTSIDE) or changed):
            found.append((kind, begin, place - 1))
        if mark != OUTSIDE and (mark in "BS" or before in ("E", "S", OUTSIDE) or changed):
            begin = place
        before, kind = mark, now
    return found


def _parsed(tag: str) -> tuple[str, str]:
    """Return the mark (B, I, E, S or O) and the type of a tag."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if tag[:1] in ("B", "I", "E", "S") and (len(tag) == 1 or tag[1] == "-"):
        return tag[0], tag[2:] or "_"
    return "I", tag


def entities_by_row(task: Task, target: np.ndarray, prediction: np.ndarray) -> list[tuple[list[Entity], list[Entity]]]:
    """Return for each row the true entities and those that are said."""
    found, names = words(target, prediction), [str(label) for label in task.classes]
    named = np.array([*names, OUTSIDE], dtype=object)  # the last one for what was not read: code -1
    true, said = named[found.target], named[found.decided]
    ends = np.cumsum(np.bincount(found.rows, minlength=len(target)))
    rows, start = [], 0
    for end in ends:
        rows.append((entities(true[start:end]), entities(said[start:end])))
        start = end
    return rows


def _counts(task: Task, target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return for each row how many entities are met, due and said, shape (n, 3)."""
    counted = [
        (len(set(true) & set(said)), len(true), len(said)) for true, said in entities_by_row(task, target, prediction)
    ]
    return np.array(counted, dtype=np.float64).reshape(-1, 3)


def _entity_f1(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, due, said = (weights @ _counts(task, target, prediction)).T
    return share(2 * hits, due + said, 0.0)


def _entity_precision(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, _, said = (weights @ _counts(task, target, prediction)).T
    return share(hits, said, 0.0)


def _entity_recall(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, due, _ = (weights @ _counts(task, target, prediction)).T
    return share(hits, due, 0.0)


entity_f1 = Score(name="entity_f1", greater_is_better=True, kinds=KIND, function=_entity_f1, decisions=True)
"""F1 score of entities: right where type, first and last word are (micro average)."""

entity_precision = Score(
    name="entity_precision", greater_is_better=True, kinds=KIND, function=_entity_precision, decisions=True
)
"""Share of the entities said that are right; 0 where none is said."""

entity_recall = Score(name="entity_recall", greater_is_better=True, kinds=KIND, function=_entity_recall, decisions=True)
"""Share of the true entities that are found; 0 where there is none."""
