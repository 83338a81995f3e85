"""Answers as the prediction log holds them, and back as the metrics take them.

Of tokens the log has each word's label with its probability, of matching the three best answers with their scores: what
is left of a row's probability is spread over the other labels or answers, none of which is more probable than those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.learners.decisions import ALTERNATIVES, best
from luban.learners.predictions import column_names, label_text

if TYPE_CHECKING:
    from luban.core.task import Task

UNTOLD = {"tokens": ("log_loss",), "matching": ("log_loss", "recall_at_10")}
"""By kind of task the metrics that need more than the log holds."""

_BELOW = 1 - 1e-6


def values(task: Task, table: pa.Table) -> np.ndarray | None:
    """Return predictions as `luban.core.protocols.Model.predict` gives them, NaN where they were not logged.

    Parameters
    ----------
    table : pyarrow.Table
        The columns of the answers, by the names of `luban.learners.predictions.column_names`.

    Returns
    -------
    numpy.ndarray or None
        None where columns are missing.
    """
    names = column_names(task)[1:] or ("prediction",)
    if any(name not in table.column_names for name in names):
        return None
    if task.kind == "tokens":
        return _words(task, table["prediction"], table["probability"])
    if task.kind == "matching":
        return _ranked(task, table["alternatives"])
    wide = [table[name].cast(pa.float64()).to_numpy().astype(np.float64) for name in names]
    return wide[0] if task.kind == "regression" else np.column_stack(wide)


def shortened(task: Task, prediction: np.ndarray) -> np.ndarray:
    """Return what `values` would make of predictions, as `Model.predict` gives them, had they been logged."""
    if task.kind == "tokens":
        read = np.isfinite(prediction).all(axis=2)
        whole = np.nan_to_num(prediction)
        codes = np.where(read, whole.argmax(axis=2), -1) if whole.size else np.zeros(read.shape, dtype=np.int64)
        return spread(codes, whole.max(axis=2, initial=0.0), prediction.shape[2])
    if task.kind == "matching":
        codes = best(prediction)
        return _behind(codes, np.take_along_axis(prediction, codes, axis=1), prediction.shape[1])
    return prediction


def spread(codes: np.ndarray, likely: np.ndarray, classes: int) -> np.ndarray:
    """Return probabilities of words, NaN where the code is -1, shape (n, L, K).

    Parameters
    ----------
    codes : numpy.ndarray
        Of each word's label, shape (n, L).
    likely : numpy.ndarray
        The label's probability, shape (n, L).
    """
    others = np.clip((1 - likely) / max(1, classes - 1), 0.0, likely * _BELOW)
    found = np.repeat(others[:, :, None], classes, axis=2)
    np.put_along_axis(found, np.maximum(codes, 0)[:, :, None], likely[:, :, None], axis=2)
    found[codes < 0] = np.nan
    return found


def _behind(codes: np.ndarray, scores: np.ndarray, classes: int) -> np.ndarray:
    """Return scores of all answers, shape (n, K), from those of the best, which come first: shape (n, k)."""
    left = np.clip(1 - scores.sum(axis=1), 0.0, None) / max(1, classes - scores.shape[1])
    found = np.repeat(np.minimum(left, scores.min(axis=1) * _BELOW)[:, None], classes, axis=1)
    np.put_along_axis(found, codes, scores, axis=1)
    return found


def _words(task: Task, labels: pa.ChunkedArray, likely: pa.ChunkedArray) -> np.ndarray:
    rows = labels.to_pylist()
    known = {label_text(label): code for code, label in enumerate(task.classes)}
    longest = max((len(row) for row in rows if row), default=0)
    codes = np.full((len(rows), longest), -1, dtype=np.int64)
    sure = np.zeros((len(rows), longest))
    for place, (row, shares) in enumerate(zip(rows, likely.to_pylist(), strict=True)):
        if row and shares:
            codes[place, : len(row)] = [known.get(label_text(one), -1) if one is not None else -1 for one in row]
            sure[place, : len(row)] = [one or 0.0 for one in shares]
    return spread(codes, sure, len(task.classes))


def _ranked(task: Task, alternatives: pa.ChunkedArray) -> np.ndarray:
    known = {label_text(label): code for code, label in enumerate(task.classes)}
    width = min(ALTERNATIVES, len(task.classes))
    found = np.full((len(alternatives), len(task.classes)), np.nan)
    lengths = pc.fill_null(pc.list_value_length(alternatives), 0).to_numpy()
    places = np.flatnonzero(lengths == width)
    told = alternatives.take(pa.array(places)).to_pylist()
    codes = np.array([[known.get(one["answer"], -1) for one in row] for row in told], dtype=np.int64).reshape(-1, width)
    scores = np.array([[one["score"] for one in row] for row in told], dtype=np.float64).reshape(-1, width)
    whole = (codes >= 0).all(axis=1)
    found[places[whole]] = _behind(codes[whole], scores[whole], len(task.classes))
    return found
