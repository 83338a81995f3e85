"""Rows of metrics: the whole history, and the latest value of each for filters and sorting."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from luban.core.errors import InputError
from luban.store.postgresql import copy_rows
from luban.store.tables import latest, metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

LONGEST = 250


class Value(NamedTuple):
    """One value of a metric; `moment` in microseconds since 1970."""

    run: str
    metric: str
    step: int
    value: float
    moment: int


def value_of(run: str, metric: str, step: int, value: float, moment: int | None = None) -> Value:
    """Return a checked value, or raise `InputError`."""
    try:
        number, at = float(value), int(step)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the metric {metric!r} must be a number at a whole step", seen=f"{value!r} at {step!r}"
        ) from error
    if not 0 < len(metric) <= LONGEST or not metric.isprintable():
        raise InputError(
            f"the name of a metric has 1 to {LONGEST} printable characters", seen=repr(metric[: LONGEST + 20])
        )
    if abs(at) >= 1 << 63:
        raise InputError(f"the step of the metric {metric!r} is out of range", seen=str(at))
    return Value(run, metric, at, number, time.time_ns() // 1000 if moment is None else moment)


_HISTORY = "INSERT INTO metrics (run, metric, step, value, moment) "
_LATEST = "INSERT INTO latest_metrics (run, metric, value, step) "
_NEWER = (
    " ON CONFLICT (run, metric) DO UPDATE SET value = excluded.value, step = excluded.step "
    "WHERE excluded.step >= latest_metrics.step"
)
_COPY = "COPY metrics (run, metric, step, value, moment) FROM STDIN"
_MANY = 200
"""Values from which on PostgreSQL takes them as a stream: arrays are one answer to wait for less, but slow to write."""

# Whole columns as arrays: one statement however many rows.
_HISTORY_COLUMNS = "SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::double precision[], %s::bigint[])"
_LATEST_COLUMNS = "SELECT * FROM unnest(%s::text[], %s::text[], %s::double precision[], %s::bigint[])"


def write(connection: Connection, values: Sequence[Value]) -> None:
    """Add values to the history and bring the latest ones up to date."""
    if not values:
        return
    last: dict[tuple[str, str], Value] = {}
    for value in values:
        key = value.run, value.metric
        if key not in last or value.step >= last[key].step:
            last[key] = value
    # Always in the same order, so that two writers never wait for each other in PostgreSQL.
    newest = [last[key] for key in sorted(last)]
    if connection.dialect.name == "postgresql":
        _write_postgresql(connection, values, newest)
    else:
        _write_sqlite(connection, values, newest)


def _kept(value: float) -> float | None:
    return None if math.isnan(value) else value


def _write_sqlite(connection: Connection, values: Sequence[Value], newest: Sequence[Value]) -> None:
    # Plain statements: at this rate SQLAlchemy's own handling of parameters costs more than the database.
    connection.exec_driver_sql(
        _HISTORY + "VALUES (?, ?, ?, ?, ?)",
        [(one.run, one.metric, one.step, _kept(one.value), one.moment) for one in values],
    )
    connection.exec_driver_sql(
        _LATEST + "VALUES (?, ?, ?, ?)" + _NEWER,
        [(one.run, one.metric, _kept(one.value), one.step) for one in newest],
    )


def _write_postgresql(connection: Connection, values: Sequence[Value], newest: Sequence[Value]) -> None:
    if len(values) >= _MANY:
        copy_rows(connection, _COPY, [(*one[:3], _kept(one.value), one.moment) for one in values])
    else:
        connection.exec_driver_sql(
            _HISTORY + _HISTORY_COLUMNS,
            (
                [one.run for one in values],
                [one.metric for one in values],
                [one.step for one in values],
                [_kept(one.value) for one in values],
                [one.moment for one in values],
            ),
        )
    connection.exec_driver_sql(
        _LATEST + _LATEST_COLUMNS + _NEWER,
        (
            [one.run for one in newest],
            [one.metric for one in newest],
            [_kept(one.value) for one in newest],
            [one.step for one in newest],
        ),
    )


def history(
    connection: Connection, run: str, metric: str, *, limit: int | None = None, offset: int = 0
) -> Sequence[Any]:
    """Return rows of (step, value, moment) by step, then in the order of logging; with `limit` a page of them."""
    query = select(metrics.c.step, metrics.c.value, metrics.c.moment)
    query = query.where(metrics.c.run == run, metrics.c.metric == metric)
    query = query.order_by(metrics.c.step, metrics.c.number)
    if limit is not None:
        query = query.limit(limit).offset(offset)
    return connection.execute(query).all()


def scores(connection: Connection, runs: Sequence[str]) -> Mapping[str, dict[str, float]]:
    """Return the latest value of each metric of each run."""
    found: dict[str, dict[str, float]] = {run: {} for run in runs}
    query = select(latest.c.run, latest.c.metric, latest.c.value).where(latest.c.run.in_(runs))
    for run, metric, value in connection.execute(query.order_by(latest.c.run, latest.c.metric)):
        found[run][metric] = math.nan if value is None else value
    return found


def steps(connection: Connection, run: str) -> dict[str, int]:
    """Return the last step of each metric of a run."""
    return steps_of(connection, [run])[run]


def steps_of(connection: Connection, runs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the last step of each metric of several runs."""
    found: dict[str, dict[str, int]] = {run: {} for run in runs}
    query = select(latest.c.run, latest.c.metric, latest.c.step).where(latest.c.run.in_(runs))
    for run, metric, step in connection.execute(query):
        found[run][metric] = step
    return found


def has(connection: Connection, name: str) -> bool:
    """Return whether any run has a metric of this name."""
    return connection.scalar(select(latest.c.metric).where(latest.c.metric == name).limit(1)) is not None


def names(connection: Connection) -> list[str]:
    """Return the names of the metrics of all runs, by name."""
    return list(connection.scalars(select(latest.c.metric).distinct().order_by(latest.c.metric)))
