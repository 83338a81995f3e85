"""What waits to be written beside values of metrics: beginnings and ends of runs, parameters, tags, kept files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, insert, update

from luban.store import metrics
from luban.store.metrics import Value
from luban.store.tables import artifacts, run_params, run_tags, runs
from luban.store.upsert import one_or_all, upsert_many

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection


class Begun(NamedTuple):
    """A run that began: its row."""

    row: Mapping[str, Any]


class Param(NamedTuple):
    """A parameter of a run, which has no other value already."""

    run: str
    key: str
    value: Any


class Tag(NamedTuple):
    """A tag of a run."""

    run: str
    key: str
    value: Any


class Kept(NamedTuple):
    """A file that a run keeps, whose content is stored already: its row."""

    row: Mapping[str, Any]


class Ended(NamedTuple):
    """How a run ended: the columns that change."""

    run: str
    columns: Mapping[str, Any]


Entry = Value | Begun | Param | Tag | Kept | Ended

_GOING: Mapping[str, Any] = {"ended": None, "error": None}
_END = (
    update(runs)
    .where(runs.c.id == bindparam("which"))
    .values(state=bindparam("state"), ended=bindparam("ended"), error=bindparam("error"))
)


def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write entries in the order of their kinds, which is that of a run's life; within a kind in their own order."""
    kinds: dict[type, list[Any]] = {kind: [] for kind in (Begun, Param, Tag, Value, Kept, Ended)}
    for entry in entries:
        kinds[type(entry)].append(entry)
    begun = {one.row["id"]: {**one.row, **_GOING} for one in kinds[Begun]}
    ended = []
    for one in kinds[Ended]:
        if one.run in begun:  # a run that begins and ends here is one row, written once
            begun[one.run] |= one.columns
        else:
            ended.append({"which": one.run, **one.columns})
    if begun:
        connection.execute(insert(runs), one_or_all(list(begun.values())))
    for table, kind in ((run_params, Param), (run_tags, Tag)):
        last = {(one.run, one.key): one.value for one in kinds[kind]}
        # In one order, so that two writers never wait for each other.
        rows = [{"run": run, "key": key, "value": value} for (run, key), value in sorted(last.items(), key=_first)]
        upsert_many(connection, table, ("run", "key"), rows)
    metrics.write(connection, kinds[Value])
    files = {(one.row["run"], one.row["path"]): one.row for one in kinds[Kept]}
    upsert_many(connection, artifacts, ("run", "path"), [files[key] for key in sorted(files)])
    if ended:
        connection.execute(_END, one_or_all(ended))


def _first(pair: tuple[tuple[str, str], Any]) -> tuple[str, str]:
    return pair[0]
