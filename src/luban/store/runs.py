"""The runs of a workspace: what was asked for, by whom, in what surroundings, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from luban.core.run import Run, RunState
from luban.core.serial import to_json
from luban.store import entries, metrics
from luban.store.clock import new_run_id, now
from luban.store.processes import is_gone
from luban.store.recorded_runs import RecordedRuns
from luban.store.recorder import Recorder
from luban.store.run_rows import not_found, read, row_of
from luban.store.run_values import add_params, remove_tag, set_tags, valid_key
from luban.store.tables import artifacts, latest, microseconds, run_params, run_tags, runs
from luban.store.tables import metrics as history
from luban.store.upsert import upsert_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from luban.store.artifacts import Artifact
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


class Runs(RecordedRuns):
    """Runs, their metrics, tags and children: what is written of them, beside what `RecordedRuns` reads."""

    def __init__(self, database: Database, actor: str) -> None:
        super().__init__(database, Recorder(database))
        self._actor = actor

    def start(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        parent: str | None = None,
        environment: Mapping[str, Any] | None = None,
        name: str = "",
        experiment: int = 0,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        started: datetime | None = None,
        id: str | None = None,  # noqa: A002
    ) -> Run:
        """Record that work begins, and return its run in the state ``"running"``.

        Parameters
        ----------
        request : mapping
            The parameters of the operation; kept as JSON values.
        parent : str, optional
            Identifier of the run that this one is a part of.
        name : str
            What people call it.
        experiment : int
            Number of the group of runs that it belongs to.
        params, tags : mapping, optional
            To be kept beside it.
        started, id : optional
            Of a run that began elsewhere.
        """
        known: dict[str, Any] = {"environment": to_json(environment or {}), "name": name, "experiment": experiment}
        run = self._new(operation, request, parent, id=id or new_run_id(), started=started or now(), **known)
        with self._database.writing() as connection:
            connection.execute(insert(runs).values(row_of(run)))
            add_params(connection, run.id, params or {})
            set_tags(connection, run.id, tags or {})
        self._known.add(run.id)
        return run

    def begin(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        parent: str | None = None,
        environment: Mapping[str, Any] | None = None,
        name: str = "",
        experiment: int = 0,
    ) -> Run:
        """Begin a run as `start` does, but leave the writing to the thread: for thousands of runs a second.

        Parameters
        ----------
        environment : mapping, optional
            Of JSON values.
        """
        known: dict[str, Any] = {"environment": environment or {}, "name": name, "experiment": experiment}
        run = self._new(operation, request, parent, id=new_run_id(), started=now(), **known)
        self._recorder.add([entries.Begun(row_of(run))])
        self._known.add(run.id)
        return run

    def _new(self, operation: str, request: Mapping[str, Any], parent: str | None, **known: Any) -> Run:
        if parent is not None:
            self._check_known(parent)
        made = {"operation": operation, "request": to_json(request), "state": "running", "actor": self._actor}
        return Run(**made, parent=parent, **known)

    def end(self, id: str, state: RunState, *, error: Mapping[str, Any] | None = None) -> None:  # noqa: A002
        """Record how a run ended as `finish` does, but leave the writing to the thread."""
        self._recorder.add([entries.Ended(id, {"state": state, "ended": now(), "error": to_json(error)})])

    def tell(
        self,
        id: str,  # noqa: A002
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        kept: Sequence[Artifact] = (),
    ) -> None:
        """Take parameters, tags and files whose content is stored; the thread writes them within a second.

        A parameter that has another value already gets the new one: whoever logs alone to a run knows what it told.
        """
        told: list[entries.Entry] = []
        told += [entries.Param(id, valid_key("parameter", key), to_json(one)) for key, one in (params or {}).items()]
        told += [entries.Tag(id, valid_key("tag", key), to_json(one)) for key, one in (tags or {}).items()]
        told += [entries.Kept({"run": id, "created": now(), **vars(one)}) for one in kept]
        self._recorder.add(told)

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
                raise not_found(id)
            if scores:
                last = metrics.steps(connection, id)
                final = [metrics.value_of(id, name, last.get(name, 0), score) for name, score in scores.items()]
                metrics.write(connection, final)
            return read(connection, id)

    def reopen(self, id: str) -> Run:  # noqa: A002
        """Record that an ended or killed run is taken up again, and return it."""
        with self._database.writing() as connection:
            again = update(runs).where(runs.c.id == id).values(state="running", ended=None, error=None)
            if connection.execute(again).rowcount == 0:
                raise not_found(id)
            return read(connection, id)

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
        self._check_known(id)
        values = self._values(id, rows)
        with self._database.writing() as connection:
            metrics.write(connection, values)

    @staticmethod
    def _values(id: str, rows: Iterable[MetricRow]) -> list[metrics.Value]:  # noqa: A002
        return [
            metrics.value_of(id, row[0], row[1], row[2], microseconds(row[3]) if len(row) == 4 else None)
            for row in rows
        ]

    def flush(self) -> None:
        """Write what `log` took; when this returns it is on the disk."""
        self._recorder.flush()

    def hand_over(self) -> None:
        """Write what `log`, `begin`, `tell` and `end` took; when this returns everybody sees it, and no kill undoes it.

        A thread sees to it that it is on the disk within a second.
        """
        self._recorder.write()

    def write(
        self,
        id: str,  # noqa: A002
        *,
        rows: Iterable[MetricRow] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Write values, parameters and tags; when this returns all are on the disk, and if it raises none is.

        Raises
        ------
        Conflict
            If a parameter has another value already.
        """
        self._check_known(id)
        values = self._values(id, rows)
        with self._database.writing() as connection:
            metrics.write(connection, values)
            add_params(connection, id, params or {})
            set_tags(connection, id, tags or {})

    def set_tag(self, id: str, key: str, value: Any) -> None:  # noqa: A002
        """Put a JSON value beside a run, in place of what was there."""
        self.write(id, tags={key: value})

    def remove_tag(self, id: str, key: str) -> None:  # noqa: A002
        """Remove a tag, or raise `NotFound`."""
        self._check_known(id)
        with self._database.writing() as connection:
            remove_tag(connection, id, key)

    def amend(self, id: str, **values: Any) -> Run:  # noqa: A002
        """Change what is said of a run (``name``, ``state``, ``ended``, ``experiment``), and return it."""
        return self._change(id, **values)

    def delete(self, id: str) -> Run:  # noqa: A002
        """Mark a run as deleted: lists leave it out, and `restore` takes it back."""
        return self._change(id, deleted=now())

    def restore(self, id: str) -> Run:  # noqa: A002
        """Take back that a run was deleted."""
        return self._change(id, deleted=None)

    def _change(self, id: str, **values: Any) -> Run:  # noqa: A002
        self._recorder.flush()
        with self._database.writing() as connection:
            if connection.execute(update(runs).where(runs.c.id == id).values(**values)).rowcount == 0:
                raise not_found(id)
            return read(connection, id)

    def put(
        self,
        run: Run,
        *,
        rows: Iterable[MetricRow] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a run that was made elsewhere, in place of all that was known of its identifier, in one transaction."""
        values = self._values(run.id, rows)
        row = {**row_of(run), "ended": run.ended, "error": to_json(run.error), "deleted": run.deleted}
        with self._database.writing() as connection:
            for table in (history, latest, run_params, run_tags, artifacts):
                connection.execute(delete(table).where(table.c.run == run.id))
            upsert_many(connection, runs, ("id",), [row])
            metrics.write(connection, values)
            add_params(connection, run.id, params or {})
            set_tags(connection, run.id, tags or {})
        self._known.add(run.id)

    def settle(self) -> list[str]:
        """Mark running runs whose process on this machine is gone as killed, and return their identifiers."""
        query = select(runs.c.id, runs.c.environment).where(runs.c.state == "running")
        with self._database.reading() as connection:
            gone = [id for id, environment in connection.execute(query) if is_gone(environment.get("process"))]  # noqa: A001
        if gone:
            those = runs.c.id.in_(gone) & (runs.c.state == "running")
            with self._database.writing() as connection:
                connection.execute(update(runs).where(those).values(state="killed", ended=now()))
        return gone

    def close(self) -> None:
        """Write what waits and stop."""
        self._recorder.close()
