"""Content that nothing names any more is removed.

Whoever deletes what named it notes the digests in the table `unnamed`, in the transaction of the deletion; `sweep`
removes those that no row names, nor any content that a row names. A process that is killed between leaves them to the
next.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
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
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Table

    from luban.store.blobs import Blobs
    from luban.store.database import Database

LOCK = "unnamed"

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
    with database.reading() as connection:
        if connection.scalar(select(unnamed.c.digest).limit(1)) is None:
            return 0
    removed = 0
    with database.writing(lock=LOCK) as connection:
        noted = set(connection.scalars(select(unnamed.c.digest)))
        for digest in noted - _named(connection, blobs):
            removed += blobs.has(digest)
            blobs.remove(digest)
        connection.execute(delete(unnamed).where(unnamed.c.digest.in_(noted)))
    return removed


def present(connection: Connection, blobs: Blobs, digests: Iterable[str]) -> None:
    """Raise `NotFound` where content that a new row names was removed since it was stored.

    Until the transaction ends none is removed. Content is looked for only where something was deleted lately: an object
    store takes its time to answer.
    """
    if connection.dialect.name == "postgresql":
        held = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:lock, 0))")
        connection.execute(held, {"lock": LOCK})
    since = deleted_models.c.moment > now() - _LATELY
    if connection.scalar(select(deleted_models.c.name).where(since).limit(1)) is None:
        return
    for digest in digests:
        for one in sorted(named_in(blobs, digest)):
            if not blobs.has(one):
                raise NotFound(
                    "a part of the model was removed while it was made, with a deleted version that had the same",
                    seen=one,
                    remedy="Make the model again.",
                )


def _named(connection: Connection, blobs: Blobs) -> set[str]:
    """Return every digest that a row names, or content that a row names."""
    named: set[str] = set()
    for table in metadata.sorted_tables:
        if table.name not in _PAST:
            found = set(_in_rows(connection, table))
            named |= found
            if table in (models, datasets):  # their manifests name content; what other rows name is large at times
                named = named.union(*(named_in(blobs, digest) for digest in found))
    return named


def _in_rows(connection: Connection, table: Table) -> Iterator[str]:
    columns = [column for column in table.columns if isinstance(column.type, String | JSON)]
    if not columns:
        return
    for row in connection.execute(select(*columns).execution_options(yield_per=1000)):
        for value in row:
            yield from _DIGEST.findall(value if isinstance(value, str) else json.dumps(value))


def of_model(connection: Connection, blobs: Blobs, name: str, version: int, reports: Iterable[str]) -> set[str]:
    """Return the content that a version names: manifest, payloads, code with its changes, surroundings, reports."""
    key = (models.c.name == name) & (models.c.version == version)
    row = connection.execute(select(models.c.artifact, models.c.code, models.c.environment).where(key)).one()
    found = set(reports)
    for digest in (row.artifact, row.code, row.environment):
        if digest is not None:
            found |= named_in(blobs, digest)
    return found
