"""Shapley values: how much each input moved a prediction away from the average one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from luban.core.errors import Unsupported
from luban.core.protocols import Explainable, WarmingUp
from luban.trust.explain.subject import Clock, margins, mixed, resting, seconds_a_row

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.protocols import Model
    from luban.core.task import Task

_ROWS = 1000
_SAMPLED_ROWS = 100
_FEW_ALONE = 20
_CELLS = 20_000_000  # table cells predicted at once, which bounds the memory
_ORDERS = 24  # orders of the columns tried for each row by sampling, half of them reversed


@runtime_checkable
class PartlyExplained(Protocol):
    """Ability of an ensemble: it tells which share of its weight its contributions speak for."""

    @property
    def explained(self) -> float:
        """From 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """Shapley values of some rows.

    Parameters
    ----------
    rows : numpy.ndarray
        Which rows of the table, shape (n,).
    values : numpy.ndarray
        Shape (n, columns, outputs).
    base : numpy.ndarray
        What they start from: the average margin, shape (outputs,).
    exact : bool
        Whether they come from the model itself rather than from sampling.
    note : str
        How they were found, in words.
    """

    rows: np.ndarray
    values: np.ndarray
    base: np.ndarray
    exact: bool
    note: str


def contributions(
    model: Model, task: Task, table: pa.Table, wanted: np.ndarray, *, clock: Clock, seed: int
) -> Contributions:
    """Return Shapley values: exact ones where the model can tell them, else sampled on the model as a whole.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical inputs.
    wanted : numpy.ndarray
        Rows to explain in any case; others follow at random while the time lasts.
    """
    order = _order(table.num_rows, wanted, seed)
    if table.num_columns == 1:
        return _alone(model, task, table, order, len(wanted), clock)
    warm_up = model.warm_up if isinstance(model, WarmingUp) else 0.0
    if 0.5 * warm_up > clock.left:  # the half, as the clock is a share of a budget whose other shares can wait
        why = f"exact values would take about {warm_up:.0f} s before the first row"
    elif isinstance(model, Explainable):
        try:
            return _exact(model, table, order, len(wanted), clock)
        except Unsupported as reason:
            # What a person can do about it in general is beside the point here: sampling has been done instead.
            why = reason.happened.rstrip(".") + (f" ({reason.seen.rstrip('.')})" if reason.seen else "")
    else:
        why = "the model does not tell contributions itself"
    return _sampled(model, task, table, order, len(wanted), clock, seed, why)


def _order(rows: int, wanted: np.ndarray, seed: int) -> np.ndarray:
    """Return all rows, the wanted ones first, the others at random."""
    others = np.setdiff1d(np.arange(rows), wanted)
    return np.concatenate([wanted, np.random.default_rng(seed).permutation(others)]).astype(np.int64)


def _exact(model: Explainable, table: pa.Table, order: np.ndarray, least: int, clock: Clock) -> Contributions:
    # The rows asked for come first, and pay for what the libraries need to start. Each further call takes as many
    # rows as the pace of the last one allows, and is made only where that is many more.
    rows = max(1, least)
    start = time.monotonic()
    values, base = model.contributions(table.take(order[:rows]))
    while True:
        pace = max((time.monotonic() - start) / rows, 1e-7)
        more = int(min(_ROWS, len(order), 20 * rows, 0.8 * max(0.0, clock.left) / pace))
        if more < min(2 * rows, len(order)) or more <= rows:
            break
        rows, start = more, time.monotonic()
        values, base = model.contributions(table.take(order[:rows]))
    share = model.explained if isinstance(model, PartlyExplained) else 1.0
    parts = "the model's own parts" if share >= 1 else f"the parts that carry {share:.0%} of the weight"
    return Contributions(
        rows=order[:rows],
        values=np.asarray(values),
        base=np.asarray(base),
        exact=True,
        note=f"exact, by {parts}, on {resting(rows, len(order))}",
    )


def _alone(model: Model, task: Task, table: pa.Table, order: np.ndarray, least: int, clock: Clock) -> Contributions:
    """Return what a single column contributes: all by which a row differs from the average one."""
    affordable = int(0.5 * max(0.0, clock.left) / seconds_a_row(model, table))
    rows = int(min(len(order), max(least + _FEW_ALONE, min(affordable, _ROWS))))
    reached = margins(task, model.predict(table.take(order[:rows])))
    # Rows that were asked for may be extreme ones, and are no part of the average while there are others.
    base = (reached[least:] if rows > least else reached).mean(axis=0)
    return Contributions(
        rows=order[:rows],
        values=(reached - base)[:, None, :],
        base=base,
        exact=True,
        note=f"the difference to the average of {resting(rows, len(order))}",
    )


def _sampled(
    model: Model, task: Task, table: pa.Table, order: np.ndarray, least: int, clock: Clock, seed: int, why: str
) -> Contributions:
    """Switch columns one by one from a background row to the explained row, in random orders.

    Castro, Gómez and Tejada (2009); each order is also walked backwards (antithetic sampling, Mitchell et al. 2022).
    The same orders and background rows serve all explained rows, so that the base is one and the sum holds.
    """
    generator = np.random.default_rng(seed)
    columns = table.num_columns
    pace = seconds_a_row(model, table)
    affordable = max(1.0, 0.8 * clock.left / (pace * (columns + 1)))
    orders = 2 * max(1, min(_ORDERS // 2, int(affordable / max(1, least) / 2)))
    rows = int(np.clip(affordable / orders, max(1, least), min(_SAMPLED_ROWS, len(order))))
    chosen = order[:rows]
    values, base = np.zeros((rows, columns, task_outputs(task))), np.zeros(task_outputs(task))
    done = 0
    started = time.monotonic()
    for pair in range(orders // 2):
        if pair and clock.left < (time.monotonic() - started) / pair:
            break
        forward = generator.permutation(columns)
        for path in (forward, forward[::-1]):
            start = int(generator.integers(table.num_rows))
            reached = _walk(model, task, table, chosen, path, start)
            values[:, path, :] += np.diff(reached, axis=1)
            base += reached[0, 0]
            done += 1
    return Contributions(
        rows=chosen,
        values=values / done,
        base=base / done,
        exact=False,
        note=f"estimated from {done} random orders of the columns on {resting(rows, len(order))}, because {why}",
    )


def task_outputs(task: Task) -> int:
    """Return the number of explained outputs: 1 for binary tasks."""
    return 1 if task.kind == "binary" else task.outputs


def _walk(model: Model, task: Task, table: pa.Table, chosen: np.ndarray, path: np.ndarray, start: int) -> np.ndarray:
    """Return the margins (rows, columns + 1, outputs) while columns are switched in the order of `path`."""
    columns = len(path)
    place = np.empty(columns, dtype=np.int64)
    place[path] = np.arange(columns)
    switched = np.arange(columns + 1)[:, None] > place[None, :]
    together = max(1, _CELLS // switched.size)
    reached = []
    for first in range(0, len(chosen), together):
        sources = np.where(switched[None], chosen[first : first + together, None, None], start).reshape(-1, columns)
        reached.append(margins(task, model.predict(mixed(table, sources))))
    return np.concatenate(reached).reshape(len(chosen), columns + 1, -1)
