"""The real quality of predictions, once their labels are there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.core.kinds import MEANINGS
from luban.core.report import Evidence, Finding
from luban.core.schema import Column, Schema
from luban.data.target import labelled_rows
from luban.evaluation.bootstrap import bootstrap
from luban.evaluation.metrics.tokens import by_row, words
from luban.evaluation.slices import loss_by_row, slices
from luban.evaluation.words import number, within
from luban.learners.decisions import decide
from luban.learners.logged import values
from luban.monitoring.expected import worse
from luban.monitoring.outputs import judged as judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Task
    from luban.monitoring.expected import Expected

FEWEST = 30
"""Labelled rows from which quality is told."""

_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Predictions with their labels, in the order of time.

    Parameters
    ----------
    inputs : pyarrow.Table
        Canonical.
    prediction : numpy.ndarray
        As `luban.core.protocols.Model.predict` gives it.
    target : numpy.ndarray
        As `luban.data.target.encode_target` gives it.
    moments : numpy.ndarray
        When each was predicted, datetime64[us].
    """

    inputs: pa.Table
    prediction: np.ndarray
    target: np.ndarray
    moments: np.ndarray

    def __len__(self) -> int:
        return len(self.target)


def labelled(
    task: Task, inputs: pa.Table, outputs: pa.Table, label: pa.ChunkedArray, moments: np.ndarray
) -> Labelled | None:
    """Return labelled predictions in the order of time, None where there are none or answers were not logged in full.

    Rows whose label is no class of the model, or whose prediction is missing, are left out; of labels of words those
    of another number than the words, too.
    """
    prediction = values(task, outputs) if len(label) else None
    if prediction is None:
        return None
    texts = inputs[task.inputs[0]] if task.kind == "tokens" and task.inputs[0] in inputs.column_names else None
    try:
        places, target = labelled_rows(task, label, texts)
    except InputError:  # none of the labels is one of this version
        return None
    read = np.isfinite(prediction[places]).reshape(len(places), -1)
    known = read.any(axis=1) if task.kind == "tokens" else read.all(axis=1)  # behind the last word there is nothing
    places, target = places[known], target[known]
    order = np.argsort(moments[places], kind="stable")
    chosen = places[order]
    return Labelled(
        inputs=inputs.take(pa.array(chosen)),
        prediction=prediction[chosen],
        target=target[order],
        moments=moments[chosen],
    )


def quality(
    task: Task,
    rows: Labelled,
    columns: Sequence[Column],
    *,
    expected: Expected | None = None,
    threshold: float | None = None,
    seed: int = 0,
) -> tuple[list[Finding], dict[str, Any]]:
    """Return the scores with their intervals, held against what was expected, and the slices that are worst.

    Parameters
    ----------
    rows : Labelled
        At least `FEWEST`.
    columns : sequence of Column
        The model's inputs.

    Returns
    -------
    tuple
        Findings, and figures: ``metrics``, ``intervals``, ``expected``, ``loss``, ``slices``, and ``worst_slice``, how
        many times the mean loss of all rows that of the worst slice is: 1 where none is clearly worse.
    """
    judged, own = judging(task)
    drawn = bootstrap(judged, task, rows.target, [rows.prediction], threshold=threshold, count=_DRAWS, seed=seed)
    intervals = {one.name: drawn.interval(place) for place, one in enumerate(judged)}
    now, before = intervals[own.name], None if expected is None else expected.metrics.get(own.name)
    table, parts = _with_lengths(rows.inputs, columns)
    finding, figures = slices(
        task,
        own,
        rows.target,
        rows.prediction,
        table,
        Schema(columns=parts),
        threshold=threshold,
        seed=seed,
    )
    lower = worse(expected, own, now)
    what = f"{own.name} is {within(now)} on {len(rows):,} labelled rows"
    if before is not None:
        what += f"; {number(before)} was expected, and that is {'clearly better' if lower else 'not clearly better'}"
    scores = Evidence(
        title="Scores by labels",
        columns=("metric", "score", "low", "high", "expected"),
        rows=tuple(
            (name, one.value, one.low, one.high, None if expected is None else expected.metrics.get(name))
            for name, one in intervals.items()
        ),
    )
    headline = Finding(
        what=what,
        verdict="warn" if lower else "pass" if before is not None else "info",
        value=now.value,
        threshold=before,
        evidence=(scores,),
        remedy="Learn again from newer rows: luban update." if lower else "",
    )
    values_ = {
        "rows": len(rows),
        "metrics": {name: one.value for name, one in intervals.items()},
        "intervals": {name: [one.low, one.high] for name, one in intervals.items()},
        "expected": before,
        "worse": lower,
        "loss": float(loss_by_row(task, rows.target, rows.prediction)[1].mean()),
        "slices": figures,
        "worst_slice": max((one["times"] for one in figures), default=1.0),
    }
    # A model has slices where it is worst from the start: that alone is no alarm.
    return [headline, replace(finding, verdict="info")], values_


def _with_lengths(table: pa.Table, columns: Sequence[Column]) -> tuple[pa.Table, tuple[Column, ...]]:
    """Return the inputs with a column more for each of texts, by which slices can be cut: how many words they have."""
    found = list(columns)
    for column in columns:
        if column.name in table.column_names and MEANINGS[column.kind].prose:
            name = f"words of {column.name}"
            words = pc.count_substring_regex(pc.fill_null(table[column.name], ""), r"\S+")
            table = table.append_column(name, words.cast(pa.float64()))
            found.append(Column(name=name, kind="number"))
    return table, tuple(found)


def missed(task: Task, rows: Labelled, *, threshold: float | None = None, typical: float | None = None) -> np.ndarray:
    """Return for each row 1 where the prediction was wrong, else 0, shape (n,).

    Labels of a row are wrong where one of them is, or one is missing, those of its words too. Of numbers and quantiles,
    wrong is a loss above the typical one: that of rows not learnt from, or else of the first rows.
    """
    if task.kind == "tokens":
        found = words(rows.target, rows.prediction)
        missed_words: np.ndarray = by_row(found.decided != found.target, found.rows, len(rows))
        return (missed_words > 0).astype(np.float64)
    if task.kind == "multilabel":
        other: np.ndarray = decide(task, rows.prediction, threshold) != (rows.target > 0)
        return np.asarray(other.any(axis=1), dtype=np.float64)
    if task.classes:
        codes = decide(task, rows.prediction, threshold if task.kind == "binary" else None)
        wrong: np.ndarray = (codes != rows.target).astype(np.float64)
        return wrong
    losses = loss_by_row(task, rows.target, rows.prediction)[1]
    limit = typical or (float(np.median(losses[:FEWEST])) if len(losses) else 0.0)
    beyond: np.ndarray = (losses > limit).astype(np.float64)
    return beyond
