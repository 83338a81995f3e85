"""Parameters and tags of runs: a JSON value a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, insert, select

from luban.core.errors import Conflict, InputError, NotFound
from luban.core.serial import to_json
from luban.store.metrics import LONGEST
from luban.store.tables import run_params, run_tags
from luban.store.upsert import upsert_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection


def valid_key(what: str, key: str) -> str:
    """Return the key of a parameter or tag, or raise `InputError`."""
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST or not key.isprintable():
        raise InputError(f"the key of a {what} has 1 to {LONGEST} printable characters", seen=repr(key)[:300])
    return key


def set_tags(connection: Connection, run: str, tags: Mapping[str, Any]) -> None:
    """Put tags in place of what was there."""
    rows = [{"run": run, "key": valid_key("tag", key), "value": to_json(tags[key])} for key in sorted(tags)]
    upsert_many(connection, run_tags, ("run", "key"), rows)


def add_params(connection: Connection, run: str, params: Mapping[str, Any]) -> None:
    """Add parameters; one that is there already must have the same value.

    Raises
    ------
    Conflict
        If a parameter has another value already: what a run was made with does not change.
    """
    given = {valid_key("parameter", key): to_json(value) for key, value in params.items()}
    if not given:
        return
    query = select(run_params.c.key, run_params.c.value).where(run_params.c.run == run)
    there = {row.key: row.value for row in connection.execute(query.where(run_params.c.key.in_(list(given))))}
    for key, value in there.items():
        if value != given[key]:
            raise Conflict(
                f"the parameter {key!r} of this run has another value already",
                seen=f"{value!r}, now {given[key]!r}",
                remedy="A parameter is told once: what changes is a metric, what differs is another run.",
            )
    new = [{"run": run, "key": key, "value": value} for key, value in given.items() if key not in there]
    if new:
        connection.execute(insert(run_params), new)


def remove_tag(connection: Connection, run: str, key: str) -> None:
    """Remove a tag, or raise `NotFound`."""
    gone = connection.execute(delete(run_tags).where(run_tags.c.run == run, run_tags.c.key == key))
    if gone.rowcount == 0:
        raise NotFound(f"the run has no tag {key!r}", seen=run)


def params_of(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of each run that were told on the way."""
    return _read(connection, run_params, ids)


def tags_of(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the tags of each run."""
    return _read(connection, run_tags, ids)


def _read(connection: Connection, table: Table, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {run: {} for run in ids}
    query = select(table.c.run, table.c.key, table.c.value).where(table.c.run.in_(ids))
    for run, key, value in connection.execute(query.order_by(table.c.run, table.c.key)):
        found[run][key] = value
    return found
