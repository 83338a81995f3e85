"""The runs of a workspace: what was asked for, by whom, in what surroundings, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select, update

from luban.core.errors import InputError, NotFound
from luban.core.run import Run, RunState
from luban.core.serial import to_json
from luban.store import metrics
from luban.store.clock import new_run_id, now
from luban.store.recorder import Recorder
from luban.store.run_query import Condition, pick, runs_query
from luban.store.tables import EPOCH, microseconds, run_tags, runs
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.database import Database

MetricRow = tuple[str, int, float] | tuple[str, int, float, datetime]
"""(metric, step, value) or (metric, step, value, moment)."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Work that has ended, to be recorded at once.

    Parameters
    ----------
    history : sequence of (str, int, float)
        Metrics by step, beside the scores.
    """

    request: Mapping[str, Any]
    state: RunState
    scores: Mapping[str, float]
    history: Sequence[tuple[str, int, float]] = ()


class Runs:
    """Runs, their metrics, tags and children."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor
        self._recorder = Recorder(database)
        self._known: set[str] = set()

    def start(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        parent: str | None = None,
        environment: Mapping[str, Any] | None = None,
    ) -> Run:
        """Record that work begins, and return its run in the state ``"running"``.

        Parameters
        ----------
        request : mapping
            The parameters of the operation; kept as JSON values.
        parent : str, optional
            Identifier of the run that this one is a part of.
        """
        if parent is not None:
            self._check_known(parent)
        run = Run(
            id=new_run_id(),
            operation=operation,
            request=to_json(request),
            state="running",
            started=now(),
            parent=parent,
            environment=to_json(environment or {}),
            actor=self._actor,
        )
        columns = ("id", "operation", "request", "state", "started", "parent", "environment", "actor")
        with self._database.writing() as connection:
            connection.execute(insert(runs).values({name: getattr(run, name) for name in columns}))
        self._known.add(run.id)
        return run

    def record(
        self,
        operation: str,
        ended: Iterable[Ended],
        *,
        parent: str | None = None,
    ) -> None:
        """Record work that has already ended, all of it in one transaction.

        Parameters
        ----------
        ended : iterable of Ended
        """
        moment = now()
        shared = {"operation": operation, "parent": parent, "started": moment, "ended": moment, "actor": self._actor}
        with self._database.writing() as connection:
            for one in ended:
                id = new_run_id()  # noqa: A001
                values = {"id": id, "request": to_json(one.request), "state": one.state, "environment": {}, **shared}
                connection.execute(insert(runs).values(values))
                rows = [*((name, 0, score) for name, score in one.scores.items()), *one.history]
                metrics.write(connection, [metrics.value_of(id, *row) for row in rows])

    def finish(
        self,
        id: str,  # noqa: A002
        state: RunState,
        *,
        scores: Mapping[str, float] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Run:
        """Record how a run ended, with its final scores, and return it."""
        self._recorder.flush()
        with self._database.writing() as connection:
            ended = update(runs).where(runs.c.id == id)
            done = connection.execute(ended.values(state=state, ended=now(), error=to_json(error)))
            if done.rowcount == 0:
                raise _not_found(id)
            if scores:
                last = metrics.steps(connection, id)
                final = [metrics.value_of(id, name, last.get(name, 0), score) for name, score in scores.items()]
                metrics.write(connection, final)
            return _read(connection, id)

    def reopen(self, id: str) -> Run:  # noqa: A002
        """Record that an ended or killed run is taken up again, and return it."""
        with self._database.writing() as connection:
            again = update(runs).where(runs.c.id == id).values(state="running", ended=None, error=None)
            if connection.execute(again).rowcount == 0:
                raise _not_found(id)
            return _read(connection, id)

    def get(self, id: str) -> Run:  # noqa: A002
        """Return a run by its identifier, or by the beginning of it where only one run has that."""
        self._recorder.flush()
        with self._database.reading() as connection:
            exact = connection.scalar(select(runs.c.id).where(runs.c.id == id))
            return _read(connection, exact or _by_prefix(connection, id))

    def count(
        self,
        *,
        operation: str | None = None,
        parent: str | None = None,
        state: RunState | None = None,
        where: Sequence[Condition] = (),
        roots: bool = False,
    ) -> int:
        """Return how many runs there are on all pages of `list`."""
        self._recorder.flush()
        query = runs_query(operation=operation, parent=parent, state=state, where=where, roots=roots)
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(query.subquery())) or 0

    def log(self, id: str, values: Mapping[str, float], step: int = 0) -> None:  # noqa: A002
        """Take values of metrics; a thread writes them within a second (`flush` at once).

        Any thread may call it. Where the database is away the values wait, and the next `flush`,
        `finish` or `close` raises its error.
        """
        if id not in self._known:
            self._check_known(id)
        self._recorder.add([metrics.value_of(id, name, step, value) for name, value in values.items()])

    def log_many(self, id: str, rows: Iterable[MetricRow]) -> None:  # noqa: A002
        """Write many values; when this returns all are on the disk, and if it raises none is.

        Parameters
        ----------
        rows : iterable of (metric, step, value) or (metric, step, value, moment)
        """
        if id not in self._known:
            self._check_known(id)
        values = [
            metrics.value_of(id, row[0], row[1], row[2], microseconds(row[3]) if len(row) == 4 else None)
            for row in rows
        ]
        with self._database.writing() as connection:
            metrics.write(connection, values)

    def flush(self) -> None:
        """Write what `log` took; when this returns it is on the disk."""
        self._recorder.flush()

    def history(self, id: str, metric: str) -> list[tuple[int, float, datetime]]:  # noqa: A002
        """Return all values of a metric as (step, value, moment), by step."""
        self._recorder.flush()
        self._check_known(id)
        with self._database.reading() as connection:
            rows = metrics.history(connection, id, metric)
        return [
            (step, math.nan if value is None else value, EPOCH + timedelta(microseconds=moment))
            for step, value, moment in rows
        ]

    def set_tag(self, id: str, key: str, value: Any) -> None:  # noqa: A002
        """Put a JSON value beside a run, in place of what was there."""
        self._check_known(id)
        if not 0 < len(key) <= metrics.LONGEST or not key.isprintable():
            raise InputError(f"the key of a tag has 1 to {metrics.LONGEST} printable characters", seen=repr(key[:300]))
        with self._database.writing() as connection:
            upsert(connection, run_tags, {"run": id, "key": key}, {"value": to_json(value)})

    def tags(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Return the tags of a run."""
        self._check_known(id)
        query = select(run_tags.c.key, run_tags.c.value).where(run_tags.c.run == id).order_by(run_tags.c.key)
        with self._database.reading() as connection:
            return {row.key: row.value for row in connection.execute(query)}

    def close(self) -> None:
        """Write what waits and stop."""
        self._recorder.close()

    def _check_known(self, id: str) -> None:  # noqa: A002
        if id in self._known:
            return
        with self._database.reading() as connection:
            if connection.scalar(select(runs.c.id).where(runs.c.id == id)) is None:
                raise _not_found(id)
        self._known.add(id)

    def list(
        self,
        *,
        operation: str | None = None,
        parent: str | None = None,
        state: RunState | None = None,
        where: Sequence[Condition] = (),
        order_by: str | None = None,
        descending: bool = True,
        limit: int = 100,
        offset: int = 0,
        roots: bool = False,
    ) -> list[Run]:
        """Return a page of runs.

        Parameters
        ----------
        parent : str, optional
            Only the children of this run.
        where : sequence of (metric, operator, value)
            Conditions on the latest value, all of which must hold; operators ``< <= > >= == !=``.
        order_by : str, optional
            ``"started"`` (as without it), ``"ended"``, or a metric: runs without a value come last.
        roots : bool
            Only runs that are nobody's children.
        """
        self._recorder.flush()
        query = runs_query(operation=operation, parent=parent, state=state, where=where, roots=roots)
        query = pick(query, order_by, descending=descending).limit(limit).offset(offset)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            scores = metrics.scores(connection, [row.id for row in rows])
        return [_run(row, scores[row.id]) for row in rows]


def _read(connection: Connection, id: str) -> Run:  # noqa: A002
    row = connection.execute(select(runs).where(runs.c.id == id)).one()
    return _run(row, metrics.scores(connection, [id])[id])


def _by_prefix(connection: Connection, prefix: str) -> str:
    beginning = runs.c.id.startswith(prefix.lower(), autoescape=True)
    found = connection.scalars(select(runs.c.id).where(beginning).order_by(runs.c.id).limit(4)).all() if prefix else []
    if len(found) > 1:
        raise InputError(
            f"several runs begin with {prefix!r}", seen=", ".join(found[:3]), remedy="Give more of the identifier."
        )
    if not found:
        raise _not_found(prefix)
    only: str = found[0]
    return only


def _run(row: Row[Any], scores: Mapping[str, float]) -> Run:
    return Run(
        id=row.id,
        operation=row.operation,
        request=row.request,
        state=row.state,
        started=row.started,
        parent=row.parent,
        ended=row.ended,
        environment=row.environment,
        scores=scores,
        error=row.error,
        actor=row.actor,
    )


def _not_found(id: str) -> NotFound:  # noqa: A002
    return NotFound(f"no run is named {id!r}", remedy="List them: luban runs list")
