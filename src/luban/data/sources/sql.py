"""SQL databases: a SQLAlchemy URL with a query or a table."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.core.errors import InputError, MissingExtra, NotFound, Unavailable
from luban.data.checks import check_names
from luban.data.sources import values
from luban.data.sources.unify import agreed, fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_URL = re.compile(
    r"(sqlite|postgresql|postgres|mysql|mariadb|oracle|mssql|duckdb|snowflake|bigquery)(\+\w+)?://", re.IGNORECASE
)
_ROWS = 20_000
# What to install where a driver or dialect has another name than its module.
_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "duckdb": "duckdb-engine",
    "snowflake": "snowflake-sqlalchemy",
    "bigquery": "sqlalchemy-bigquery",
}
# How a connection is told to refuse every change, where the database can be told so.
_READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "mysql": "SET SESSION TRANSACTION READ ONLY"}


class SqlSource:
    """The rows of a query or a table, fetched 20,000 at a time; nothing in the database is changed."""

    def matches(self, location: Any) -> bool:
        """Return whether `location` is a database URL."""
        return isinstance(location, str) and _URL.match(location) is not None

    def read(
        self,
        location: Any,
        *,
        query: str | None = None,
        table: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `query` (with bound `parameters`) or of the whole `table`.

        The rows are kept in a temporary file until all types are known, as databases such as SQLite may hold
        any type in any row.

        Raises
        ------
        InputError
            If neither or both of query and table are given, or the query fails.
        NotFound
            If there is no such table.
        Unavailable
            If the database does not answer.
        """
        if options:
            raise InputError(f"databases have no option {min(options)!r}", remedy="Options: query, table.")
        if query is not None and table is None and re.fullmatch(r"[\w.]+", query.strip()):
            table, query = query.strip(), None  # a bare name is a table
        if bool(query and query.strip()) == bool(table):
            raise InputError(
                "a database needs either a query or a table",
                remedy="Import it with --query 'select ...' or --query TABLE (query='...' in Python).",
            )
        return _read(location, query, table, parameters or {})


def _read(
    location: str, query: str | None, table: str | None, parameters: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    import sqlalchemy as sa

    location = re.sub("^postgres://", "postgresql://", location)
    _sqlite_exists(location)
    try:
        engine = sa.create_engine(location)
    except sa.exc.NoSuchModuleError as error:
        raise _missing(re.split(r"[+:]", location)[0].lower()) from error
    except ModuleNotFoundError as error:
        raise _missing(str(error.name)) from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InputError(
            "the database URL cannot be read", seen=str(error), remedy="Write dialect://user@host/name."
        ) from error
    try:
        with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
            _only_read(connection)
            statement = sa.text(query) if query else _whole(connection, str(table))
            cursor = connection.execution_options(stream_results=True, yield_per=_ROWS).execute(statement, parameters)
            if not cursor.returns_rows:
                raise _no_rows(query)
            names = list(cursor.keys())
            check_names(names, "the result of the query")
            yield from _typed(Path(folder), names, cursor)
    except sa.exc.OperationalError as error:
        if "readonly" in str(error.orig):
            raise _no_rows(query) from error
        if (query and "syntax" in str(error).lower()) or "no such" in str(error).lower():
            raise InputError("the query fails", seen=str(error.orig), remedy="Correct the query.") from error
        raise Unavailable(
            "the database does not answer", seen=str(error.orig), remedy="Check its URL and that it runs."
        ) from error
    except sa.exc.DBAPIError as error:
        raise InputError("the query fails", seen=str(error.orig), remedy="Correct the query.") from error
    finally:
        engine.dispose()


def _missing(name: str) -> MissingExtra:
    package = _PACKAGES.get(name, name)
    return MissingExtra(f"this database needs the package {package}", remedy=f"Run: pip install {package}")


def _only_read(connection: Any) -> None:
    """Let the database refuse every change: an import reads."""
    if connection.dialect.name == "postgresql":
        connection.execution_options(postgresql_readonly=True)
    elif connection.dialect.name in _READ_ONLY:
        connection.exec_driver_sql(_READ_ONLY[connection.dialect.name])


def _no_rows(query: str | None) -> InputError:
    return InputError(
        "the query changes the database instead of returning rows",
        seen=str(query)[:120],
        remedy="Give one that begins with SELECT.",
    )


def _sqlite_exists(location: str) -> None:
    found = re.match(r"sqlite(\+\w+)?:///(?P<path>[^?]+)", location)
    if found and found["path"] != ":memory:" and not Path(found["path"]).exists():
        raise NotFound(
            f"there is no database {found['path']!r}", remedy="Check the path; four slashes make it absolute."
        )


def _whole(connection: Any, table: str) -> Any:
    import sqlalchemy as sa

    schema, _, name = table.rpartition(".")
    inspector = sa.inspect(connection)
    known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if name not in known:
        raise NotFound.named("table", table, known)
    return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))


def _typed(folder: Path, names: list[str], cursor: Any) -> Iterator[pa.RecordBatch]:
    schema: pa.Schema | None = None
    pieces = 0
    for rows in cursor.partitions(_ROWS):
        piece = pa.table([values.column(list(cells)) for cells in zip(*rows, strict=True)], names=names)
        schema = agreed(schema, piece.schema)
        with pa.OSFile(str(folder / f"{pieces}.arrow"), "wb") as file, pa.ipc.new_file(file, piece.schema) as writer:
            writer.write_table(piece)
        pieces += 1
    if schema is None:
        yield pa.RecordBatch.from_pylist([], schema=pa.schema([(name, pa.null()) for name in names]))
        return
    for place in range(pieces):
        with pa.OSFile(str(folder / f"{place}.arrow")) as file:
            yield from fit(pa.ipc.open_file(file).read_all(), schema).to_batches()
