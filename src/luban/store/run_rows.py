"""Runs as rows, and rows as runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from luban.core.errors import InputError, NotFound
from luban.core.run import Run
from luban.store import metrics
from luban.store.run_values import params_of
from luban.store.tables import runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection


def row_of(run: Run) -> dict[str, Any]:
    """Return the columns that a run has when it begins."""
    columns = "id operation request state started parent environment actor name experiment"
    return {name: getattr(run, name) for name in columns.split()}


def read(connection: Connection, id: str) -> Run:  # noqa: A002
    """Return the run of an identifier that is there."""
    return read_all(connection, connection.execute(select(runs).where(runs.c.id == id)).all())[0]


def read_all(connection: Connection, rows: Sequence[Row[Any]]) -> list[Run]:
    """Return rows as runs, with their latest values and all their parameters."""
    ids = [row.id for row in rows]
    scores, params = metrics.scores(connection, ids), params_of(connection, ids)
    return [_run(row, scores[row.id], params[row.id]) for row in rows]


def by_prefix(connection: Connection, prefix: str) -> str:
    """Return the identifier that begins so, where only one does."""
    beginning = runs.c.id.startswith(prefix.lower(), autoescape=True)
    found = connection.scalars(select(runs.c.id).where(beginning).order_by(runs.c.id).limit(4)).all() if prefix else []
    if len(found) > 1:
        raise InputError(
            f"several runs begin with {prefix!r}", seen=", ".join(found[:3]), remedy="Give more of the identifier."
        )
    if not found:
        raise not_found(prefix)
    only: str = found[0]
    return only


def _run(row: Row[Any], scores: Mapping[str, float], params: Mapping[str, Any]) -> Run:
    return Run(
        id=row.id,
        operation=row.operation,
        request={**row.request, **params},
        state=row.state,
        started=row.started,
        parent=row.parent,
        ended=row.ended,
        environment=row.environment,
        scores=scores,
        error=row.error,
        actor=row.actor,
        name=row.name,
        experiment=row.experiment,
        deleted=row.deleted,
    )


def not_found(id: str) -> NotFound:  # noqa: A002
    """Return the error for a run that is not there."""
    return NotFound(f"no run is named {id!r}", remedy="List them: luban runs list")
