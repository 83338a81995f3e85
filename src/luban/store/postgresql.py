"""What PostgreSQL's driver offers beside statements: rows as one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection


def copy_rows(connection: Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows with ``COPY ... FROM STDIN``, in the transaction of `connection`.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        Of the kind that a statement would have raised.
    """
    import psycopg

    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        told = DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect)
        raise told from error
