"""Permutation importance: what the model loses when a column is shuffled."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.evaluation.bootstrap import Interval, bootstrap, interval_of
from luban.evaluation.metrics import metric
from luban.trust.explain.subject import Clock, seconds_a_row, shown_output

if TYPE_CHECKING:
    from luban.core.protocols import Model
    from luban.core.task import Task

_ROWS = 5000
_LEAST_ROWS, _FEWEST_ROWS = 200, 20
_REPEATS = 5
_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Importance of columns.

    Parameters
    ----------
    loss : str
        What is lost, in words.
    columns : mapping of str to Interval
        Loss and its interval, of the columns that there was time for, largest first.
    rows, repeats : int
        How it was measured.
    """

    loss: str
    columns: dict[str, Interval]
    rows: int
    repeats: int


def importance(
    model: Model,
    task: Task,
    table: pa.Table,
    target: np.ndarray | None,
    order: np.ndarray,
    *,
    clock: Clock,
    seed: int,
) -> Importance:
    """Shuffle each column in turn and measure what is lost (Breiman 2001; Fisher, Rudin and Dominici 2019).

    Parameters
    ----------
    target : numpy.ndarray, optional
        With it the loss is that of the task's metric; without, the mean change of the predictions.
    order : numpy.ndarray
        Columns, those likely to matter first: where time ends early, these are done.

    Notes
    -----
    The interval covers both the choice of the rows (paired bootstrap) and that of the shuffles (the repeats are
    drawn again with each bootstrap draw).
    """
    generator = np.random.default_rng(seed)
    pace = seconds_a_row(model, table)
    affordable = 0.8 * max(0.0, clock.left) / (pace * max(1, len(order)))
    repeats = int(np.clip(affordable // _LEAST_ROWS, 2, _REPEATS))
    # Of a slow model even the least rows would take longer than there is; a hint in time is better than that.
    most = 0.8 * max(0.0, clock.left) / (pace * (1 + repeats))
    least = int(np.clip(most, _FEWEST_ROWS, _LEAST_ROWS))
    rows = int(min(table.num_rows, np.clip(affordable / repeats, least, _ROWS)))
    chosen = np.sort(generator.choice(table.num_rows, rows, replace=False))
    seen = table.take(pa.array(chosen))
    known = None if target is None else target[chosen]
    usual = model.predict(seen)
    found: dict[str, Interval] = {}
    slowest = 0.0
    for column in order:
        # The columns that contribute most come first; one that would not be done in time is not begun.
        if found and clock.left < slowest:
            break
        start = time.monotonic()
        shuffled = [model.predict(_shuffle(seen, int(column), generator)) for _ in range(repeats)]
        name = table.column_names[int(column)]
        if known is None:
            found[name] = _changed(task, usual, shuffled, generator)
        else:
            found[name] = _lost(task, known, usual, shuffled, seed)
        slowest = max(slowest, time.monotonic() - start)
    words = f"loss of {task.metric}" if target is not None else f"mean change of the {shown_output(task, usual)[0]}"
    ranked = dict(sorted(found.items(), key=lambda item: -item[1].value))
    return Importance(loss=words, columns=ranked, rows=rows, repeats=repeats)


def _shuffle(table: pa.Table, column: int, generator: np.random.Generator) -> pa.Table:
    moved = table.column(column).take(pa.array(generator.permutation(table.num_rows)))
    return table.set_column(column, table.column_names[column], moved)


def _lost(task: Task, target: np.ndarray, usual: np.ndarray, shuffled: list[np.ndarray], seed: int) -> Interval:
    judged = metric(task.metric, task)
    sign = 1 if judged.greater_is_better else -1
    drawn = bootstrap([judged], task, target, [usual, *shuffled], count=_DRAWS, seed=seed)
    losses = sign * (drawn.draws[0, :1] - drawn.draws[0, 1:])
    value = sign * float((drawn.values[0, 0] - drawn.values[0, 1:]).mean())
    return interval_of(value, _redrawn(losses, seed))


def _changed(task: Task, usual: np.ndarray, shuffled: list[np.ndarray], generator: np.random.Generator) -> Interval:
    before = shown_output(task, usual)[1]
    changes = np.stack([np.abs(shown_output(task, one)[1] - before).mean(axis=1) for one in shuffled])
    rows = changes.shape[1]
    draws = np.stack([changes[:, generator.integers(0, rows, rows)].mean(axis=1) for _ in range(_DRAWS)], axis=1)
    return interval_of(float(changes.mean()), _redrawn(draws, int(generator.integers(2**31))))


def _redrawn(losses: np.ndarray, seed: int) -> np.ndarray:
    """Return the mean over the repeats, drawn again with return for each of B draws; `losses` is (repeats, B)."""
    repeats, draws = losses.shape
    again = np.random.default_rng(seed).integers(0, repeats, (repeats, draws))
    means: np.ndarray = np.take_along_axis(losses, again, axis=0).mean(axis=0)
    return means
