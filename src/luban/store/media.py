"""Pictures and sounds that the prediction log keeps: content by digest, for as long as a chunk of the log names it.

They lie beside the other blobs and apart from them, so that what is erased here is taken from no data set or model that
holds the same content. A row of the database says which chunk names which content. Whoever is about to store a chunk
claims its content before it is written: no sweep takes it away meanwhile, and where the writer is killed the claim, and
what was written under it, go after an hour.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from luban.core.errors import Conflict, LubanError
from luban.store.clock import now
from luban.store.tables import media
from luban.store.upsert import upsert_many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from luban.store.blobs import Blobs
    from luban.store.database import Database

PLACE = "asked"
"""Where they lie, below the other blobs."""

NOBODY = 0
"""In place of a chunk: no chunk names the content any more, and it is to be erased."""

CLAIMED = timedelta(hours=1)
"""How long a claim counts; to write a chunk takes seconds."""

WRITERS = 16
"""Threads that write: they wait for the disk or the network."""

LOCK = "media"
"""Of whoever claims, hands over, drops or erases: of two that drop the last two names of content one has to notice."""

_PORTION = 32  # erased in one transaction, which others wait for
_LISTED = 500  # digests in one query


class Media:
    """The content, and what names it."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self.blobs = blobs.below(PLACE)

    def at(self, copies: Path) -> Blobs:
        """Return where the content is; local copies of what is remote come to a folder, which the caller removes."""
        return self._blobs.below(PLACE, cache=copies)

    @contextmanager
    def storing(self, contents: Mapping[str, bytes]) -> Iterator[int]:
        """Store content by its digest; gives the claim that holds it until a chunk does (see `hand_over`)."""
        claim, moment = -1 - secrets.randbits(62), now()
        with self._database.writing(lock=LOCK) as connection:
            connection.execute(
                insert(media), [{"digest": one, "chunk": claim, "moment": moment} for one in sorted(contents)]
            )
        try:
            with ThreadPoolExecutor(min(WRITERS, len(contents)), thread_name_prefix="luban-media") as pool:
                for _ in pool.map(self.blobs.put, contents.values()):
                    pass
            yield claim
        except LubanError:
            with suppress(LubanError), self._database.writing(lock=LOCK) as connection:  # else it ends by itself
                drop(connection, [claim])
                _condemn(connection, contents)  # a sweep may have ended the claim before all of it was written
            raise

    def kept(self, digests: Collection[str]) -> set[str]:
        """Return those of which the content is kept."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for part in _parts(sorted(digests)):
                named = media.c.digest.in_(part) & (media.c.chunk > NOBODY)
                found.update(connection.scalars(select(media.c.digest).where(named)))
        return found

    def sweep(self, most: int | None = None) -> int:
        """Erase content that nothing names any more, `most` pieces at most, and return how many were looked at."""
        self._end_claims()
        swept = 0
        while most is None or swept < most:
            portion = _PORTION if most is None else min(_PORTION, most - swept)
            query = select(media.c.digest).where(media.c.chunk == NOBODY).limit(portion)
            with self._database.reading() as connection:
                digests = connection.scalars(query).all()
            if not digests:
                break
            with self._database.writing(lock=LOCK) as connection, ThreadPoolExecutor(WRITERS) as pool:
                for _ in pool.map(self._erase, set(digests) - _named(connection, digests)):
                    pass
                gone = media.c.digest.in_(digests) & (media.c.chunk == NOBODY)
                connection.execute(delete(media).where(gone))
            swept += len(digests)
        self.blobs.tidy()
        return swept

    def _erase(self, digest: str) -> None:
        """Erase content, and the copies of it that a killed update of this workspace has left here."""
        self.blobs.remove(digest)
        for copies in self.blobs.copies():
            copies.remove(digest)

    def _end_claims(self) -> None:
        old = (media.c.chunk < NOBODY) & (media.c.moment < now() - CLAIMED)
        with self._database.reading() as connection:
            if connection.scalar(select(media.c.chunk).where(old).limit(1)) is None:
                return
        with self._database.writing(lock=LOCK) as connection:
            drop(connection, connection.scalars(select(media.c.chunk).where(old).distinct()).all())


def hand_over(connection: Connection, claim: int, chunk: int, count: int) -> None:
    """Let a chunk hold the content that was claimed, in the transaction that adds the chunk and holds `LOCK`.

    Raises
    ------
    Conflict
        If the claim is too old, so that the content may be gone.
    """
    moved = connection.execute(update(media).where(media.c.chunk == claim).values(chunk=chunk))
    if moved.rowcount != count:
        raise Conflict("the pictures and sounds of these rows took too long to be stored")


def held(connection: Connection, holders: Sequence[int]) -> set[str]:
    """Return the digests that chunks or claims hold."""
    return set(connection.scalars(select(media.c.digest).where(media.c.chunk.in_(holders)).distinct()))


def drop(connection: Connection, holders: Sequence[int], *, left: Collection[str] = (), to: int = NOBODY) -> None:
    """Let chunks or claims hold nothing any more; the chunk `to` takes over what is left. The transaction holds `LOCK`.

    What nothing else names is noted, to be erased by `Media.sweep`.
    """
    before = held(connection, holders)
    if not before:
        return
    connection.execute(delete(media).where(media.c.chunk.in_(holders)))
    moment = now()
    staying = sorted(before & set(left))
    if staying:
        connection.execute(insert(media), [{"digest": one, "chunk": to, "moment": moment} for one in staying])
    _condemn(connection, before - set(staying))


def _condemn(connection: Connection, digests: Collection[str]) -> None:
    """Note what nothing names, to be erased by `Media.sweep`."""
    moment = now()
    for part in _parts(sorted(digests)):
        gone = sorted(set(part) - _named(connection, part))
        rows = [{"digest": one, "chunk": NOBODY, "moment": moment} for one in gone]
        upsert_many(connection, media, ["digest", "chunk"], rows)


def _named(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Return those that a chunk or a claim names."""
    named = media.c.digest.in_(digests) & (media.c.chunk != NOBODY)
    return set(connection.scalars(select(media.c.digest).where(named)))


def _parts(digests: Sequence[str]) -> list[Sequence[str]]:
    return [digests[start : start + _LISTED] for start in range(0, len(digests), _LISTED)]
