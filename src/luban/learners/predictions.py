"""What a fitted model answers, in the user's own labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.schema import Column
from luban.learners.decisions import NONE, best

if TYPE_CHECKING:
    from luban.core.task import Task

_LISTED = ("multilabel", "tokens")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions for n rows.

    Parameters
    ----------
    task : Task
    prediction : pyarrow.Array
        Shape (n,): labels for classes, numbers otherwise (for quantiles the one nearest to the median). A list of
        labels for multilabel, a label a word for tokens (null where a word was not read), null where an answer is
        rejected.
    probabilities : numpy.ndarray, optional
        Shape (n, K), in the order of ``task.classes``; (n, L, K) for tokens.
    quantiles : numpy.ndarray, optional
        Shape (n, Q), in the order of ``task.quantiles``.
    notes : tuple of str
        What was done to the rows before they could be read.
    """

    task: Task
    prediction: pa.Array
    probabilities: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.prediction)

    def to_table(self) -> pa.Table:
        """Return the columns ``prediction`` and ``probability_<class>`` or ``quantile_<level>``.

        For tokens ``prediction`` and ``probability``, of each word's label. For matching ``prediction``, ``score`` and
        ``alternatives``, the three best answers with their scores.
        """
        columns = [self.prediction]
        wide = self.probabilities if self.probabilities is not None else self.quantiles
        if self.task.kind == "tokens" and wide is not None:
            columns.append(_word_probabilities(self.prediction, wide))
        elif self.task.kind == "matching" and wide is not None:
            columns += [pa.array(wide.max(axis=1, initial=0.0)), _alternatives(self.task, wide)]
        elif wide is not None:
            columns += [pa.array(wide[:, place]) for place in range(wide.shape[1])]
        return pa.table(columns, names=list(column_names(self.task)))


def column_names(task: Task) -> tuple[str, ...]:
    """Return the names of the columns that predictions for a task have."""
    if task.kind == "tokens":
        return "prediction", "probability"
    if task.kind == "matching":
        return "prediction", "score", "alternatives"
    classes = [f"probability_{label_text(label)}" for label in task.classes]
    return ("prediction", *classes, *(f"quantile_{level:g}" for level in task.quantiles))


def output_columns(task: Task) -> tuple[Column, ...]:
    """Return the columns that predictions for a task have."""
    rest = [Column(name=name, kind="number", nullable=False, storage="double") for name in column_names(task)[1:]]
    if not task.classes:
        return (Column(name="prediction", kind="number", nullable=False, storage="double"), *rest)
    storage = str(labels(task).type)
    if task.kind in _LISTED:
        first = Column(name="prediction", kind="nested", nullable=False, storage=f"list<{storage}>")
        if task.kind == "tokens":
            rest = [Column(name="probability", kind="nested", nullable=False, storage="list<double>")]
        return (first, *rest)
    first = Column(name="prediction", kind="category", nullable=task.kind == "matching", storage=storage)
    if task.kind == "matching":
        rest[-1] = Column(name="alternatives", kind="nested", nullable=False, storage="list<struct>")
    return (first, *rest)


def label_text(label: object) -> str:
    """Return a label as text, booleans as ``true`` and ``false``."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def labels(task: Task) -> pa.Array:
    """Return the labels as one array: booleans, whole numbers, numbers, or strings where they are mixed."""
    kinds = {type(label) for label in task.classes}
    if kinds in ({bool}, {int}, {str}):
        return pa.array(task.classes)
    if kinds <= {int, float}:
        return pa.array([float(label) for label in task.classes])
    return pa.array([label_text(label) for label in task.classes])


def label_values(task: Task) -> np.ndarray:
    """Return the labels as one array: int64, float64, boolean, or strings (``object``); empty without classes."""
    if not task.classes:
        return np.empty(0, dtype=np.int64)
    return np.asarray(labels(task).to_numpy(zero_copy_only=False))


def of_values(
    task: Task,
    values: np.ndarray,
    codes: np.ndarray | None,
    notes: tuple[str, ...] = (),
    words: np.ndarray | None = None,
) -> Predictions:
    """Return the predictions for what `Model.predict` gave, and what was decided on for classes and labels.

    Parameters
    ----------
    words : numpy.ndarray, optional
        For tokens how many words each row has, shape (n,); without it those that were read.
    """
    if codes is not None:
        decided = _decided(task, codes, words)
        return Predictions(task=task, prediction=decided, probabilities=values, notes=notes)
    if task.kind == "quantile":
        middle = int(np.argmin(np.abs(np.array(task.quantiles) - 0.5)))
        return Predictions(task=task, prediction=pa.array(values[:, middle]), quantiles=values, notes=notes)
    return Predictions(task=task, prediction=pa.array(values), notes=notes)


def of_target(task: Task, target: np.ndarray) -> pa.Array:
    """Return a target, as learners take it, in the user's own labels or numbers, as `encode_target` reads it."""
    return _decided(task, target.astype(np.int64), None) if task.classes else pa.array(target)


def _decided(task: Task, codes: np.ndarray, words: np.ndarray | None) -> pa.Array:
    known = labels(task)
    if task.kind == "multilabel":
        return _lists([np.flatnonzero(row) for row in codes], known)
    if task.kind == "tokens":
        ends = [int(row[-1]) + 1 if len(row) else 0 for row in map(np.flatnonzero, codes >= 0)]
        ends = ends if words is None else np.maximum(ends, words).tolist()
        unread = (
            np.full((len(codes), max([0, *ends]) - codes.shape[1]), NONE) if max([0, *ends]) > codes.shape[1] else None
        )
        whole = codes if unread is None else np.concatenate([codes, unread], axis=1)
        return _lists([row[:end] for row, end in zip(whole, ends, strict=True)], known)
    return known.take(pa.array(codes, mask=codes == NONE))


def _lists(rows: list[np.ndarray], known: pa.Array) -> pa.Array:
    """Return a list of labels a row, for rows of codes."""
    offsets = np.cumsum([0, *map(len, rows)])
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *rows]).astype(np.int64)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), known.take(pa.array(flat, mask=flat == NONE)))


def _word_probabilities(prediction: pa.Array, values: np.ndarray) -> pa.Array:
    """Return the probability of each word's label, null where it has none."""
    rows = []
    for row, labels_of_row in enumerate(prediction.to_pylist()):
        likeliest = values[row].max(axis=1) if values.shape[1] else np.zeros(0)
        rows.append(
            [float(likeliest[place]) if label is not None else None for place, label in enumerate(labels_of_row)]
        )
    return pa.array(rows, pa.list_(pa.float64()))


def _alternatives(task: Task, values: np.ndarray) -> pa.Array:
    known = [label_text(label) for label in task.classes]
    rows = [
        [{"answer": known[code], "score": float(values[row, code])} for code in codes]
        for row, codes in enumerate(best(values))
    ]
    return pa.array(rows, pa.list_(pa.struct([("answer", pa.string()), ("score", pa.float64())])))
