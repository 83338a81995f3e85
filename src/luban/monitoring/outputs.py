"""What of a model's answers is watched, and answers as the metrics take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.schema import Column
from luban.learners.predictions import column_names, labels

if TYPE_CHECKING:
    from luban.core.task import Task

_CLASSES = 12  # probabilities that are watched, each a column


def watched(task: Task) -> tuple[Column, ...]:
    """Return the columns of a model's answers whose distributions are watched."""
    names = column_names(task)
    prediction = Column(name="prediction", kind="category" if task.classes else "number")
    if task.kind == "tokens":
        return ()
    if task.kind == "matching":
        return prediction, Column(name="score", kind="number")
    if task.kind == "binary":
        return prediction, Column(name=names[-1], kind="number")
    numbers = tuple(Column(name=name, kind="number") for name in names[1 : 1 + _CLASSES])
    if task.kind == "multilabel":
        return numbers
    return (prediction, *numbers) if task.kind != "quantile" else numbers


def values(task: Task, table: pa.Table) -> np.ndarray | None:
    """Return predictions as `luban.core.protocols.Model.predict` gives them, NaN where they were not logged.

    Parameters
    ----------
    table : pyarrow.Table
        The columns of the answers, by the names of `luban.learners.predictions.column_names`.

    Returns
    -------
    numpy.ndarray or None
        None for tokens and matching, whose answers are not logged in full, and where columns are missing.
    """
    if task.kind in ("tokens", "matching"):
        return None
    names = column_names(task)[1:] or ("prediction",)
    if any(name not in table.column_names for name in names):
        return None
    wide = [table[name].cast(pa.float64()).to_numpy().astype(np.float64) for name in names]
    return wide[0] if task.kind == "regression" else np.column_stack(wide)


def answers(task: Task, prediction: np.ndarray, decided: np.ndarray | None = None) -> pa.Table:
    """Return the columns that are watched, from what `Model.predict` gave.

    Parameters
    ----------
    decided : numpy.ndarray, optional
        Class codes, shape (n,); by default the most probable class.
    """
    columns: dict[str, pa.Array] = {}
    names = column_names(task)
    if task.kind in ("binary", "multiclass"):
        codes = prediction.argmax(axis=1) if decided is None else decided
        columns["prediction"] = labels(task).take(pa.array(codes)).cast(pa.string())
    elif task.kind == "regression":
        return pa.table({"prediction": prediction})
    for place, name in enumerate(names[1:]):
        columns[name] = pa.array(prediction[:, place])
    return pa.table(columns)
