"""Content that nothing names any more is removed.

Whoever deletes what named it notes the digests in the table `unnamed`, in the transaction of the deletion; `sweep`
removes those that no row names, nor any content that a row names. A process that is killed between leaves them to the
next.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import JSON, String, Text, cast, delete, func, select, text

from luban.core.errors import NotFound, Tampered
from luban.store.clock import now
from luban.store.tables import (
    alias_changes,
    audit,
    audit_head,
    condemned,
    datasets,
    deleted_datasets,
    deleted_models,
    latest,
    media,
    metadata,
    metrics,
    models,
    outcomes,
    unnamed,
)
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection, Table

    from luban.store.blobs import Blobs
    from luban.store.database import Database

LOCK = "unnamed"

WRITERS = 16
"""Threads that look and remove: they wait for the disk or the network."""

_PORTION = 1000  # removed in one transaction, which others wait for
_TURN = 0.15  # seconds between two of them: SQLite lets who waits look every 0.1 s

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LENGTH = 71  # of a digest
# What tells of the past, names content of another place, or has no digest: to be named there keeps nothing.
_PAST = {
    table.name
    for table in (
        audit,
        audit_head,
        alias_changes,
        condemned,
        deleted_datasets,
        deleted_models,
        latest,
        media,
        metrics,
        outcomes,
        unnamed,
    )
}
_DELETED = (deleted_models, deleted_datasets)  # nothing is ever taken out of these
_LATELY = timedelta(days=1)


def named_in(blobs: Blobs, digest: str) -> set[str]:
    """Return a digest, and those that its content names where that is JSON; content that is damaged names nothing."""
    try:
        content = blobs.get(digest)
    except (NotFound, Tampered):
        return {digest}
    if content[:1] not in (b"{", b"["):
        return {digest}
    return {digest, *_DIGEST.findall(content.decode("utf-8", "replace"))}


def note(connection: Connection, digests: Iterable[str]) -> None:
    """Note, in the transaction that deletes what named them, content that may be named by nothing else."""
    for digest in sorted(set(digests)):
        upsert(connection, unnamed, {"digest": digest}, {"moment": now()})


def sweep(database: Database, blobs: Blobs) -> int:
    """Remove the noted content that nothing names, and return how many blobs that were."""
    removed = 0
    contents: dict[str, set[str]] = {}
    while True:
        with database.reading() as connection:
            if connection.scalar(select(unnamed.c.digest).limit(1)) is None:
                return removed
            _manifests(connection, blobs, contents)  # what takes long is read before others have to wait
        with database.writing(lock=LOCK) as connection, ThreadPoolExecutor(WRITERS) as pool:
            noted = set(connection.scalars(select(unnamed.c.digest).limit(_PORTION)))
            removed += sum(pool.map(partial(_remove, blobs), noted - _named(connection, blobs, contents, noted)))
            connection.execute(delete(unnamed).where(unnamed.c.digest.in_(noted)))
        if len(noted) == _PORTION:
            time.sleep(_TURN)


def _remove(blobs: Blobs, digest: str) -> bool:
    there = blobs.has(digest)
    blobs.remove(digest)
    return there


def present(
    database: Database, blobs: Blobs, content: Callable[[], Iterable[str]], *, what: str
) -> Callable[[Connection], None]:
    """Look whether content that a new row is to name is there, and return what makes sure of it in its transaction.

    Parameters
    ----------
    content : callable
        Returns the digests; asked only where something was deleted lately.
    what : str
        What the row is about, for the message.

    Returns
    -------
    callable
        Given the connection of the transaction it raises `NotFound` where content was removed since it was stored;
        until the transaction ends none is removed.

    An object store takes its time to answer, and others wait for the transaction: it asks again only for what was noted
    when this looked, as nothing else is removed, unless there was a deletion since. Content is looked for only where
    something was deleted lately.
    """
    with database.reading() as connection:
        before = _deletions(connection)
        noted = set(connection.scalars(select(unnamed.c.digest)))
        lately = _lately(connection)
    named = set(content()) if lately else set()
    gone = _missing(blobs, named)

    def sure(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            held = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:lock, 0))")
            connection.execute(held, {"lock": LOCK})
        again = named & noted
        if gone:  # others may have stored it meanwhile; a manifest that was not there told of nothing else
            again = set(content())
        elif _deletions(connection) != before:
            again = named or set(content())
        missing = _missing(blobs, again)
        if missing:
            raise NotFound(
                f"a part of the {what} was removed while it was made, with a deleted version that had the same",
                seen=missing[0],
                remedy=f"Make the {what} again.",
            )

    return sure


def _deletions(connection: Connection) -> int:
    """Return how many there ever were."""
    return sum(connection.scalar(select(func.count()).select_from(one)) or 0 for one in _DELETED)


def _lately(connection: Connection) -> bool:
    since = now() - _LATELY
    return any(connection.scalar(select(one.c.name).where(one.c.moment > since).limit(1)) for one in _DELETED)


def _missing(blobs: Blobs, digests: set[str]) -> list[str]:
    asked = sorted(digests)
    with ThreadPoolExecutor(WRITERS) as pool:
        return [one for one, there in zip(asked, pool.map(blobs.has, asked), strict=True) if not there]


def _manifests(connection: Connection, blobs: Blobs, contents: dict[str, set[str]]) -> set[str]:
    """Return what rows of data sets and models name; what the content of that names is noted in `contents`."""
    named: set[str] = set()
    for table, reader in ((datasets, of_dataset), (models, named_in)):  # a model names its data set too
        found = set(_in_rows(connection, table))
        for digest in found - contents.keys():
            contents[digest] = reader(blobs, digest)
        named |= found
    return named


def _named(connection: Connection, blobs: Blobs, contents: dict[str, set[str]], noted: set[str]) -> set[str]:
    """Return those of the noted that a row names, or content that a row names.

    The manifests of data sets and models name content; what other rows name is large at times.
    """
    named: set[str] = set()
    for manifest in _manifests(connection, blobs, contents):
        named |= noted & contents[manifest]
    for table in metadata.sorted_tables:
        if table.name not in _PAST and table not in (datasets, models):
            named.update(_in_rows(connection, table, noted))
    return noted & named


def _in_rows(connection: Connection, table: Table, among: set[str] | None = None) -> Iterator[str]:
    """Yield the digests that rows name, or those among some at least; the database leaves out rows without."""
    for column in table.columns:
        length = getattr(column.type, "length", None)
        if not isinstance(column.type, String | JSON) or (length is not None and length < _LENGTH):
            continue
        if length == _LENGTH:
            query = select(column).where(column.is_not(None) if among is None else column.in_(among))
        else:
            words = cast(column, Text)
            query = select(words).where(words.contains("sha256:"))
        for value in connection.scalars(query.execution_options(yield_per=1000)):
            yield from _DIGEST.findall(value)


def of_dataset(blobs: Blobs, fingerprint: str) -> set[str]:
    """Return the content that a version of a data set names: manifest, chunks, and the pictures and sounds in these."""
    found = named_in(blobs, fingerprint)
    if len(found) == 1:  # without a chunk, or damaged
        return found
    manifest = blobs.get_json(fingerprint)
    described = manifest.get("columns", ()) if isinstance(manifest, dict) else ()
    columns = [one["name"] for one in described if "kind" in one]
    if columns:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for chunk in manifest["chunks"]:
            try:
                table = pq.read_table(pa.BufferReader(blobs.get(chunk["digest"])), columns=columns)
            except (NotFound, Tampered):  # the others stand nevertheless
                continue
            for column in table.columns:
                found.update(_DIGEST.findall(" ".join(one for one in column.unique().to_pylist() if one)))
    return found


def of_model(connection: Connection, blobs: Blobs, name: str, version: int, reports: Iterable[str]) -> set[str]:
    """Return the content that a version names: manifest, payloads, code with its changes, surroundings, reports."""
    key = (models.c.name == name) & (models.c.version == version)
    row = connection.execute(select(models.c.artifact, models.c.code, models.c.environment).where(key)).one()
    found = set(reports)
    for digest in (row.artifact, row.code, row.environment):
        if digest is not None:
            found |= named_in(blobs, digest)
    return found
