"""The database of a workspace: SQLite in a file, or PostgreSQL by URL."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from weakref import WeakSet

from sqlalchemy import URL, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from luban.core.errors import InputError, LubanError, MissingExtra, Tampered, Unavailable, Unsupported
from luban.store.disk import disk_full, read_only, writing_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine

PATIENCE = 60.0
"""Seconds that a writer waits for its turn."""

CONNECT = 5
"""Seconds that a database server has to answer."""

_to_text = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


_open: WeakSet[Database] = WeakSet()
_inherited: list[sqlite3.Connection | None] = []  # a forked child keeps what is its parent's: closing it does harm


def _let_go() -> None:
    """Close idle connections before a fork.

    A child that inherits one must not use it, nor close it: SQLite would take it for the last, and remove
    the log that the parent is writing to.
    """
    for database in list(_open):
        database.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_let_go)


class Database:
    """Transactions on the rows of a workspace, for any number of threads and processes.

    SQLite runs in WAL mode: readers never wait, writers queue up. A write takes the lock when it begins
    (``BEGIN IMMEDIATE``), so it never fails half-way because another got ahead, and is on the disk when it
    returns (``synchronous=FULL``).

    Parameters
    ----------
    url : str or sqlalchemy.URL
        ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/NAME``.
    """

    def __init__(self, url: str | URL) -> None:
        self._url = _read_url(url)
        self._pid = os.getpid()
        self._engine = self._connect()
        self._glance: sqlite3.Connection | None = None
        self._glances = 0  # how often it was opened: two connections count each for itself
        self._glancing = threading.Lock()
        _open.add(self)

    @property
    def shown(self) -> str:
        """The address, without the password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def dialect(self) -> str:
        """``"sqlite"`` or ``"postgresql"``."""
        return self._engine.dialect.name

    def stamp(self) -> tuple[int, int] | None:
        """Return what is another as soon as a write of any process can be seen; None where only asking tells.

        Of SQLite it is the counter that a connection of its own keeps in memory that all processes share: it costs some
        microseconds, and no file is read.
        """
        if self._alive().dialect.name != "sqlite":
            return None
        with self._glancing:
            try:
                if self._glance is None:
                    self._glance, self._glances = _sqlite_connection(self._url, timeout=0.0), self._glances + 1
                ((version,),) = self._glance.execute("PRAGMA data_version").fetchall()
            except sqlite3.Error:  # whoever asks for rows is told
                return self._glances, -1
        return self._glances, version

    def prepare(self) -> None:
        """Do once, before there are tables, what a new database needs."""
        if self.dialect == "sqlite":
            _switch_to_wal(self)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees the state of one moment, however many queries are made."""
        with self._telling(), self._alive().connect() as connection:
            if self.dialect == "postgresql":  # SQLite does so by itself
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
            yield connection

    @contextmanager
    def writing(self, lock: str | Sequence[str] | None = None, *, soon: bool = False) -> Iterator[Connection]:
        """Give a connection whose writes all last, or none.

        Parameters
        ----------
        lock : str or sequence of str, optional
            Writers that name the same lock take turns. (In SQLite all do anyway.) Several are taken in their order.
        soon : bool
            Do not wait for the disk: everybody sees the writes at once, and no end of this process undoes them, but a
            loss of power does, until `secure`.
        """
        options = {"writes": True, "soon": soon}
        with self._telling(), self._alive().execution_options(**options).begin() as connection:
            if self.dialect == "postgresql":
                if soon:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                for one in () if lock is None else (lock,) if isinstance(lock, str) else lock:
                    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": one})
            yield connection

    def secure(self) -> None:
        """Return when no loss of power undoes what was written before; PostgreSQL sees to that by itself, soon."""
        if self.dialect != "sqlite":
            return
        path = Path(self._url.database or "")
        # What is not in the log any more was made to last when it was moved. (SQLite's locks are on other files.)
        with writing_to(path), suppress(FileNotFoundError):
            log = os.open(path.with_name(path.name + "-wal"), os.O_RDWR)
            try:
                os.fsync(log)
            finally:
                os.close(log)

    def close(self) -> None:
        """Close the connections that are idle; others are closed when they come back."""
        with self._glancing:
            if self._pid != os.getpid():
                _inherited.append(self._glance)
            elif self._glance is not None:
                self._glance.close()
            self._glance = None
        self._engine.dispose(close=self._pid == os.getpid())

    def _alive(self) -> Engine:
        if self._pid != os.getpid():
            _inherited.append(self._glance)
            self._glance, self._glancing = None, threading.Lock()
            self._engine.dispose(close=False)
            self._engine, self._pid = self._connect(), os.getpid()
        return self._engine

    def _connect(self) -> Engine:
        common: dict[str, Any] = {"json_serializer": _to_text, "pool_size": 4, "max_overflow": 60}
        if self._url.get_backend_name() == "sqlite":
            return _sqlite_engine(self._url, common)
        try:
            return create_engine(self._url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT}, **common)
        except ImportError as error:
            raise MissingExtra(
                "PostgreSQL needs a package that is not installed",
                seen=str(error),
                remedy="Run: pip install 'luban[postgres]'",
            ) from error

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise Unavailable("too many threads use the database at once", seen=self.shown) from error
        except OverflowError as error:  # SQLite's driver, before anything is asked
            raise _too_large(str(error)) from error
        except DBAPIError as error:
            told = _translate(error, self.shown)
            if told is None:
                raise
            raise told from error


def _read_url(address: str | URL) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise InputError(
            "the address of the database cannot be read",
            seen=str(address).split("://", maxsplit=1)[0],  # what follows may hold a password
            remedy="Write LUBAN_STORE as sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
        ) from error
    if url.get_backend_name() in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite", database=str(Path(url.database or "").absolute()))
    raise Unsupported(
        "this kind of database is not supported",
        seen=url.render_as_string(hide_password=True),
        remedy="Use sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
    )


def _sqlite_engine(url: URL, common: dict[str, Any]) -> Engine:
    engine = create_engine(url, creator=partial(_sqlite_connection, url), **common)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        writes, soon = options.get("writes", False), options.get("soon", False)
        if writes and connection.info.get("soon", False) != soon:
            connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if soon else 'FULL'}")
            connection.info["soon"] = soon
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sqlite_connection(url: URL, timeout: float | None = None) -> sqlite3.Connection:
    path = Path(url.database or "")
    return sqlite3.connect(
        f"file:{quote(str(path))}?{_access(path)}",
        uri=True,
        timeout=PATIENCE if timeout is None else timeout,
        isolation_level=None,
        check_same_thread=False,
    )


def _access(path: Path) -> str:
    """Return how to open a SQLite file: where nothing can be written it can still be read."""
    if not path.exists():
        return "mode=rwc"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    log = path.with_name(path.name + "-wal")
    # Without a log beside it the file is whole, and SQLite needs no shared memory to read it.
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


def _switch_to_wal(database: Database) -> None:
    """Write SQLite's journal ahead; the file remembers. It needs the file to itself for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            raw = database._alive().raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            finally:
                raw.close()
        except (sqlite3.OperationalError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            busy = getattr(cause, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise _from_sqlite(cause, database.shown) or error from error
            time.sleep(0.01)
        else:
            return


def _translate(error: DBAPIError, where: str) -> LubanError | None:
    """Return the error to show for one of the database's, or None where it is a defect of ours."""
    if isinstance(error.orig, sqlite3.Error):
        return _from_sqlite(error.orig, where)
    state = getattr(error.orig, "sqlstate", None)
    if state in ("53100", "53200"):
        return disk_full(where)
    # 08: connection, 57P: shutdown, 53: too many connections, 28: who are you, 3D: no such database;
    # without a state the server was never reached.
    gone = state is None or state[:2] in ("08", "28", "3D", "53") or state.startswith("57P")
    if gone and isinstance(error, OperationalError | InterfaceError):  # whose own classes have a name for each state
        return Unavailable(
            "the database does not answer",
            seen=f"{where}: {str(error.orig).strip().splitlines()[0]}",
            remedy="Start it, or check LUBAN_STORE and the network; nothing was lost.",
        )
    if state == "25006":
        return read_only(where)
    if state == "22003":
        return _too_large(str(error.orig).strip().splitlines()[0])
    return None


def _too_large(seen: str) -> InputError:
    return InputError("a number is too large for the database", seen=seen, remedy="Give a smaller one.")


def _from_sqlite(error: BaseException | None, where: str) -> LubanError | None:
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith("SQLITE_FULL"):
        return disk_full(where)
    if code.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return read_only(where)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable(
            f"the database stayed busy for {PATIENCE:.0f} s",
            seen=where,
            remedy="Another process writes for very long or hangs; end it, then try again.",
        )
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Tampered("the database is damaged", seen=f"{where}: {error}", remedy="Restore it from a copy.")
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")):
        return Unavailable(
            "the database cannot be opened", seen=f"{where}: {error}", remedy="Check the folder and its disk."
        )
    return None
