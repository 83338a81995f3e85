"""Put rows in place of those with the same keys."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite import insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Table


def upsert(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert the row, or where the key is there already give it these values."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # slow to import, and of no use beside SQLite

        there = postgresql.insert(table).values(**key, **values)
        connection.execute(there.on_conflict_do_update(index_elements=list(key), set_=dict(values)))
        return
    here = insert(table).values(**key, **values)
    connection.execute(here.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def upsert_many(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; those whose key is there already replace what is. No key may come twice."""
    if rows:
        statement = _many(connection.dialect.name, table, tuple(key), tuple(rows[0]))
        connection.execute(statement, one_or_all([dict(row) for row in rows]))


def one_or_all(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a statement takes them quickest: of one its values, for which PostgreSQL is asked once less."""
    return rows[0] if len(rows) == 1 else rows


def upsert_sum(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, int]) -> None:
    """Insert the row, or where the key is there already add these values to what is."""
    there: Any = insert(table)
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        there = postgresql.insert(table)
    sums = {name: table.c[name] + there.excluded[name] for name in values}
    connection.execute(there.values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=sums))


@lru_cache(maxsize=64)
def _many(dialect: str, table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """Return the statement; to build it takes as long as to execute it for a row."""
    there: Any = insert(table)
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        there = postgresql.insert(table)
    news = {name: there.excluded[name] for name in names if name not in key}
    return there.on_conflict_do_update(index_elements=list(key), set_=news)
