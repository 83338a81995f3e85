"""Content that nothing names any more is removed.

Whoever deletes what named it notes the digests in the table `unnamed`, in the transaction of the deletion; `sweep`
removes those that no row names, nor any content that a row names. A process that is killed between leaves them to the
next.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import JSON, String, delete, select, text

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
"""Threads that remove: they wait for the disk or the network."""

_PORTION = 500  # removed in one transaction, which others wait for

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
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
            if not contents:  # what takes long is read before others have to wait
                _named(connection, blobs, contents)
        with database.writing(lock=LOCK) as connection, ThreadPoolExecutor(WRITERS) as pool:
            noted = set(connection.scalars(select(unnamed.c.digest).limit(_PORTION)))
            removed += sum(pool.map(partial(_remove, blobs), noted - _named(connection, blobs, contents)))
            connection.execute(delete(unnamed).where(unnamed.c.digest.in_(noted)))


def _remove(blobs: Blobs, digest: str) -> bool:
    there = blobs.has(digest)
    blobs.remove(digest)
    return there


def present(connection: Connection, blobs: Blobs, content: Callable[[], Iterable[str]], *, what: str) -> None:
    """Raise `NotFound` where content that a new row names was removed since it was stored.

    Parameters
    ----------
    content : callable
        Returns the digests; asked only where something was deleted lately.
    what : str
        What the row is about, for the message.

    Until the transaction ends none is removed. Content is looked for only where something was deleted lately: an object
    store takes its time to answer.
    """
    if connection.dialect.name == "postgresql":
        held = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:lock, 0))")
        connection.execute(held, {"lock": LOCK})
    since = now() - _LATELY
    if not any(
        connection.scalar(select(table.c.name).where(table.c.moment > since).limit(1))
        for table in (deleted_models, deleted_datasets)
    ):
        return
    for one in sorted(set(content())):
        if not blobs.has(one):
            raise NotFound(
                f"a part of the {what} was removed while it was made, with a deleted version that had the same",
                seen=one,
                remedy=f"Make the {what} again.",
            )


def _named(connection: Connection, blobs: Blobs, contents: dict[str, set[str]]) -> set[str]:
    """Return every digest that a row names, or content that a row names; what was read of content is noted."""
    named: set[str] = set()
    # The manifests of these name content; what other rows name is large at times.
    readers = {models.name: named_in, datasets.name: of_dataset}
    for table in metadata.sorted_tables:
        if table.name not in _PAST:
            found = set(_in_rows(connection, table))
            named |= found
            if table.name not in readers:
                continue
            for digest in found:
                if digest not in contents:
                    contents[digest] = readers[table.name](blobs, digest)
                named |= contents[digest]
    return named


def _in_rows(connection: Connection, table: Table) -> Iterator[str]:
    columns = [column for column in table.columns if isinstance(column.type, String | JSON)]
    if not columns:
        return
    for row in connection.execute(select(*columns).execution_options(yield_per=1000)):
        for value in row:
            yield from _DIGEST.findall(value if isinstance(value, str) else json.dumps(value))


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
