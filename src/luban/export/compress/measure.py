"""What a form of a model is worth beside the model itself: quality, equal answers, size and time on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.evaluation.metrics import metric
from luban.learners.decisions import NONE

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.protocols import Model
    from luban.core.task import Task

ROUNDS = 4
TIMED_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well a model answers.

    Parameters
    ----------
    score : float
        Of the task's metric.
    same : float
        Share of rows that it answers as the original does; of words that bear the same label; of the labels that
        either gives those that both give; for numbers the correlation with the original's.
    difference : float
        Largest difference of a prediction.
    """

    score: float
    same: float
    difference: float


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How quick a model is.

    Parameters
    ----------
    rows : float
        Rows a second, many at once, by all threads.
    row : float
        Seconds that one row takes alone.
    """

    rows: float
    row: float


def quality(task: Task, target: np.ndarray, expected: np.ndarray, found: np.ndarray, decide: Any) -> Quality:
    """Return how well predictions do, beside the original's.

    Parameters
    ----------
    expected, found : numpy.ndarray
        As `Model.predict` gives them, of the original and of its form.
    decide : callable
        From predictions to answers, where the task has classes.
    """
    score = float(metric(task.metric, task)(task, target, found))
    difference = np.abs(expected - found)
    known = ~np.isnan(expected)
    if task.classes:
        same = agreement(task, decide(expected), decide(found))
    else:
        same = 1.0 if np.array_equal(expected, found) else float(np.corrcoef(expected.ravel(), found.ravel())[0, 1])
    return Quality(score=score, same=same, difference=float(difference[known].max(initial=0.0)))


def agreement(task: Task, expected: np.ndarray, found: np.ndarray) -> float:
    """Return the share of equal labels, 1 where there is none to compare.

    Parameters
    ----------
    expected, found : numpy.ndarray
        What the original and its form decide, as `luban.learners.decisions.decide` gives it. That neither gives a
        label, or that there is no word, counts for nothing: most labels and places are such.
    """
    equal = expected == found
    if task.kind == "multilabel":
        counted = expected | found
    elif task.kind == "tokens":
        counted = (expected != NONE) | (found != NONE)
    else:
        counted = np.ones_like(equal)
    return float(equal[counted].mean()) if counted.any() else 1.0


def loss(task: Task, before: Quality, after: Quality) -> float:
    """Return how much worse the metric became: in its own units where more is better, else as a share of it."""
    if metric(task.metric, task).greater_is_better:
        return before.score - after.score
    return (after.score - before.score) / max(abs(before.score), 1e-12)


def paces(models: dict[str, Model], table: pa.Table) -> dict[str, Pace]:
    """Return how quick models are on the same rows, turn by turn, the best of a few rounds each."""
    rows = table.slice(0, TIMED_ROWS)
    single = rows.slice(0, 1)
    many: dict[str, list[float]] = {name: [] for name in models}
    one: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            many[name].append(_seconds(model, rows))
            one[name] += [_seconds(model, single) for _ in range(5)]
    return {name: Pace(rows=rows.num_rows / min(many[name]), row=min(one[name])) for name in models}


def _seconds(model: Model, table: pa.Table) -> float:
    begun = time.perf_counter()
    model.predict(table)
    return max(time.perf_counter() - begun, 1e-9)
