"""What is on record of the runs of a workspace: pages of them, their metrics by step, their tags."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from luban.store import metrics
from luban.store.run_query import Condition, pick, runs_query
from luban.store.run_rows import by_prefix, not_found, read, read_all
from luban.store.run_search import Clause, Order, search_query
from luban.store.run_values import tags_of
from luban.store.tables import EPOCH, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.run import Run, RunState
    from luban.store.database import Database
    from luban.store.recorder import Recorder


class RecordedRuns:
    """Reads what was written of runs.

    Parameters
    ----------
    recorder : Recorder
        What waits there is written before anything is read that it may change.
    """

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        self._known: set[str] = set()

    def get(self, id: str) -> Run:  # noqa: A002
        """Return a run by its identifier, or by the beginning of it where only one run has that."""
        self._recorder.flush()
        with self._database.reading() as connection:
            exact = connection.scalar(select(runs.c.id).where(runs.c.id == id))
            return read(connection, exact or by_prefix(connection, id))

    def count(
        self,
        *,
        operation: str | None = None,
        parent: str | None = None,
        state: RunState | None = None,
        where: Sequence[Condition] = (),
        roots: bool = False,
        experiment: int | None = None,
    ) -> int:
        """Return how many runs there are on all pages of `list`."""
        self._recorder.flush()
        query = runs_query(
            operation=operation, parent=parent, state=state, where=where, roots=roots, experiment=experiment
        )
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(query.subquery())) or 0

    def search(
        self,
        clauses: Sequence[Clause] = (),
        order: Sequence[Order] = (),
        *,
        experiments: Sequence[int] | None = None,
        deleted: bool | None = False,
        without: Sequence[str] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> list[Run]:
        """Return a page of the runs that fit, as `luban.store.run_search.search_query` says."""
        self._recorder.flush()
        query = search_query(
            clauses,
            order,
            experiments=experiments,
            deleted=deleted,
            dialect=self._database.dialect,
            without=without,
        )
        with self._database.reading() as connection:
            return read_all(connection, connection.execute(query.limit(limit).offset(offset)).all())

    def history(
        self,
        id: str,  # noqa: A002
        metric: str,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[int, float, datetime]]:
        """Return all values of a metric as (step, value, moment), by step; with `limit` a page of them."""
        self._recorder.flush()
        self._check_known(id)
        with self._database.reading() as connection:
            rows = metrics.history(connection, id, metric, limit=limit, offset=offset)
        return [
            (step, math.nan if value is None else value, EPOCH + timedelta(microseconds=moment))
            for step, value, moment in rows
        ]

    def tags(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Return the tags of a run."""
        self._check_known(id)
        return self.tags_of([id])[id]

    def tags_of(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the tags of several runs."""
        with self._database.reading() as connection:
            return tags_of(connection, ids)

    def steps_of(self, ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return the last step of each metric of several runs."""
        with self._database.reading() as connection:
            return metrics.steps_of(connection, ids)

    def has_metric(self, name: str) -> bool:
        """Return whether any run has a metric of this name."""
        self._recorder.flush()
        with self._database.reading() as connection:
            return metrics.has(connection, name)

    def metric_names(self) -> list[str]:
        """Return the names of all metrics of all runs."""
        self._recorder.flush()
        with self._database.reading() as connection:
            return metrics.names(connection)

    def _check_known(self, id: str) -> None:  # noqa: A002
        if id in self._known:
            return
        with self._database.reading() as connection:
            if connection.scalar(select(runs.c.id).where(runs.c.id == id)) is None:
                raise not_found(id)
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
        experiment: int | None = None,
    ) -> list[Run]:
        """Return a page of the runs that are not deleted.

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
        experiment : int, optional
            Only runs of this experiment.
        """
        self._recorder.flush()
        query = runs_query(
            operation=operation, parent=parent, state=state, where=where, roots=roots, experiment=experiment
        )
        query = pick(query, order_by, descending=descending).limit(limit).offset(offset)
        with self._database.reading() as connection:
            return read_all(connection, connection.execute(query).all())
