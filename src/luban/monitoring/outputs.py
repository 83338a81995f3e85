"""What of a model's answers is watched, and by what they are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.schema import Column
from luban.evaluation.metrics import fitting
from luban.learners.decisions import decide
from luban.learners.logged import UNTOLD
from luban.learners.predictions import column_names, label_text, labels, of_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.protocols import Metric
    from luban.core.task import Task

_CLASSES = 12  # probabilities, or labels of words, that are watched, each a column
_SURE = "confidence"


def judged(task: Task) -> tuple[list[Metric], Metric]:
    """Return the metrics that logged answers allow, and of them the model's own one, or else the first."""
    known = [one for one in fitting(task) if one.name not in UNTOLD.get(task.kind, ())]
    return known, next((one for one in known if one.name == task.metric), known[0])


def watched(task: Task) -> tuple[Column, ...]:
    """Return the columns of a model's answers whose distributions are watched, as `seen` gives them."""
    names = column_names(task)
    prediction = Column(name="prediction", kind="category" if task.classes else "number")
    if task.kind == "tokens":
        return tuple(Column(name=name, kind="number") for name in (_SURE, *_shares(task)))
    if task.kind == "matching":
        return prediction, Column(name="score", kind="number")
    if task.kind == "binary":
        return prediction, Column(name=names[-1], kind="number")
    numbers = tuple(Column(name=name, kind="number") for name in names[1 : 1 + _CLASSES])
    if task.kind == "multilabel":
        return numbers
    return (prediction, *numbers) if task.kind != "quantile" else numbers


def seen(task: Task, table: pa.Table) -> pa.Table:
    """Return the columns of answers with those that are watched.

    Of words these are the mean probability of a row's labels, and the share of its words that each label has.

    Parameters
    ----------
    table : pyarrow.Table
        By the names of `luban.learners.predictions.column_names`.
    """
    if task.kind != "tokens" or any(name not in table.column_names for name in column_names(task)):
        return table
    said = table["prediction"].to_pylist()
    sure = table["probability"].to_pylist()
    columns = {_SURE: [_mean([one for one in row or () if one is not None]) for row in sure]}
    for name, label in zip(_shares(task), task.classes, strict=False):
        text = label_text(label)
        columns[name] = [_mean([label_text(one) == text for one in row or () if one is not None]) for row in said]
    return pa.table({name: pa.array(column, pa.float64()) for name, column in columns.items()})


def _shares(task: Task) -> list[str]:
    return [f"share_{label_text(label)}" for label in task.classes[:_CLASSES]]


def _mean(found: Sequence[float]) -> float | None:
    return sum(found) / len(found) if found else None


def answers(task: Task, prediction: np.ndarray, threshold: float | None = None) -> pa.Table:
    """Return answers as the log has them, from what `Model.predict` gave.

    Parameters
    ----------
    threshold : float, optional
        From which probability on a row counts as positive, has a label, or an answer.
    """
    if task.kind in ("tokens", "matching"):
        told = of_values(task, prediction, decide(task, prediction, threshold)).to_table()
        if task.kind == "tokens":
            return told
        return told.set_column(0, "prediction", told["prediction"].cast(pa.string()))
    columns: dict[str, pa.Array] = {}
    names = column_names(task)
    if task.kind in ("binary", "multiclass"):
        codes = decide(task, prediction, threshold)
        columns["prediction"] = labels(task).take(pa.array(codes)).cast(pa.string())
    elif task.kind == "regression":
        return pa.table({"prediction": prediction})
    for place, name in enumerate(names[1:]):
        columns[name] = pa.array(prediction[:, place])
    return pa.table(columns)


def surest(prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how sure each answer, or each word's label, is, and its code, both in the order of rows.

    Parameters
    ----------
    prediction : numpy.ndarray
        Shape (n, K), or (n, L, K) with NaN where there is no word.
    """
    flat = prediction.reshape(-1, prediction.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=1)]
    return flat.max(axis=1, initial=0.0), flat.argmax(axis=1)
