"""Rows that keep arriving, as Parquet in blobs: each chunk is written once, and a row of the database says where it is.

A chunk counts as stored when its row is in the database; the blob is on the disk before that. Small chunks are
merged as they pile up. Whoever erases writes the chunk anew without what has to go, lets the row point at the new
one and condemns the old in the same transaction, and removes the content after that: a process that is killed on
the way leaves condemned content to the next one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import delete, func, insert, select, update

from luban.core.errors import Conflict, NotFound
from luban.store import audit, media, removed
from luban.store.clock import now
from luban.store.tables import chunks, condemned
from luban.store.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from luban.store.blobs import Blobs
    from luban.store.database import Database
    from luban.store.media import Media

Found = TypeVar("Found")

MOMENT = pa.timestamp("us", tz="UTC")

INPUT = "input."
"""What the names of columns begin with that hold what was asked."""

MANY = 64
"""So many small chunks in a row are merged into one."""

LARGE = 50_000
"""Rows from which a chunk is large and is not merged any more."""

_ATTEMPTS = 20  # a reader or writer whose chunks were merged under its hands starts again


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows of one deployment.

    Parameters
    ----------
    number : int
        Its place in the order of writing.
    first, last : datetime
        The moments that its rows lie between.
    subjects : int
        How many rows name the person that they are about.
    """

    number: int
    kind: str
    deployment: str
    digest: str
    rows: int
    first: datetime
    last: datetime
    subjects: int


class Chunks:
    """The chunks of one kind.

    Parameters
    ----------
    kind : str
        ``"prediction"`` or ``"label"``.
    tidy : callable, optional
        What to do to rows when they are merged, such as leaving out those that later ones replace.
    media : Media, optional
        Where the pictures and sounds are that rows name.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        actor: str,
        kind: str,
        tidy: Callable[[pa.Table], pa.Table] | None = None,
        media: Media | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._actor = actor
        self._kind = kind
        self._tidy = tidy
        self._media = media

    def add(
        self, deployment: str, rows: pa.Table, *, once: bool = False, contents: Mapping[str, bytes] | None = None
    ) -> None:
        """Store some rows; when this returns they survive whatever happens to the process.

        Parameters
        ----------
        rows : pyarrow.Table
            With a column ``moment``, and a column ``subject`` where rows may have one.
        once : bool
            Whether these very rows, stored before, are left as they are: for whoever cannot know whether the
            first attempt went through.
        contents : mapping of str to bytes, optional
            Pictures and sounds that the rows name, by digest, to be kept as long as any row does.
        """
        if not rows.num_rows:
            return
        try:
            if self._media is None or not contents:
                self._add(deployment, rows, once, 0, 0)
            else:
                with self._media.storing(contents) as claim:
                    self._add(deployment, rows, once, claim, len(contents))
        except _Erased as erased:
            left = rows.filter(between(rows["moment"], erased.until, None))
            theirs = {digest: contents[digest] for digest in digests_in(left, contents)} if contents else None
            self.add(deployment, left, once=once, contents=theirs)
            return
        self._merge(deployment)

    def _add(self, deployment: str, rows: pa.Table, once: bool, claim: int, claimed: int) -> None:
        """Store rows in a chunk that takes over so many pictures and sounds from a claim."""
        written = self._written(deployment, rows)
        locks = [removed.turn(deployment), *([media.LOCK] if claimed else [])]
        with self._database.writing(lock=locks) as connection:
            until = removed.erased_until(connection, deployment)
            if until is None or written["first"] >= until:
                self._name(connection, written, once, claim, claimed)
                return
            _condemn(connection, written["digest"])
        self.sweep()
        raise _Erased(until)

    def _name(self, connection: Connection, written: Mapping[str, Any], once: bool, claim: int, claimed: int) -> None:
        """Let a chunk name what was written."""
        same = [chunks.c[key] == written[key] for key in ("digest", "kind", "deployment")]
        if once and connection.execute(select(chunks.c.number).where(*same)).first() is not None:
            if claimed:
                media.drop(connection, [claim])
            return
        added = connection.execute(insert(chunks).values(**written)).inserted_primary_key
        if claimed:
            assert added is not None
            media.hand_over(connection, claim, added.number, claimed)

    def named(
        self, deployment: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Chunk]:
        """Return the chunks that may have rows from `since` and before `until`, in the order of writing."""
        query = select(chunks).where(chunks.c.kind == self._kind).order_by(chunks.c.number)
        if deployment is not None:
            query = query.where(chunks.c.deployment == deployment)
        if since is not None:
            query = query.where(chunks.c.last >= since)
        if until is not None:
            query = query.where(chunks.c.first < until)
        with self._database.reading() as connection:
            return [Chunk(**row) for row in connection.execute(query).mappings()]

    def count(self, deployment: str) -> int:
        """Return how many rows are stored for a deployment."""
        mine = (chunks.c.kind == self._kind) & (chunks.c.deployment == deployment)
        with self._database.reading() as connection:
            return int(connection.scalar(select(func.sum(chunks.c.rows)).where(mine)) or 0)

    def newest(self, deployment: str) -> int | None:
        """Return the number of the chunk that was added last."""
        mine = (chunks.c.kind == self._kind) & (chunks.c.deployment == deployment)
        with self._database.reading() as connection:
            newest: int | None = connection.scalar(select(func.max(chunks.c.number)).where(mine))
        return newest

    def read(
        self,
        deployment: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[pa.Table]:
        """Return the rows of every chunk that may have some of these moments, in the order of writing."""
        return self._held(
            lambda: self.named(deployment, since=since, until=until), lambda chunk: self.rows(chunk, columns)
        )

    def about(self, subject: str, columns: Sequence[str]) -> list[tuple[str, pa.Table]]:
        """Return the rows about a person that each chunk has, with its deployment; one chunk is read after another."""

        def theirs(chunk: Chunk) -> tuple[str, pa.Table]:
            rows = self.rows(chunk, [*columns, "subject"])
            return chunk.deployment, rows.filter(pc.equal(rows["subject"], subject)).select(columns)

        return self._held(lambda: [chunk for chunk in self.named() if chunk.subjects], theirs)

    def _held(self, named: Callable[[], list[Chunk]], read: Callable[[Chunk], Found]) -> list[Found]:
        """Return what is read of chunks, all as they were at one moment."""
        for attempt in range(_ATTEMPTS):
            found = named()
            try:
                return [read(chunk) for chunk in found]
            except NotFound:  # merged or erased since the list was made
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def rows(self, chunk: Chunk, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of a chunk; of the columns asked for those that it has."""
        file = pq.ParquetFile(pa.BufferReader(self._blobs.get(chunk.digest)))
        names = None if columns is None else [name for name in file.schema_arrow.names if name in set(columns)]
        return file.read(columns=names)

    def rewrite(
        self,
        change: Callable[[Chunk], pa.Table | None],
        *,
        deployment: str | None = None,
        action: str,
        subject: str,
        detail: Mapping[str, Any],
    ) -> int:
        """Take rows away for good and return how many.

        Parameters
        ----------
        change : callable
            Returns the rows of a chunk that stay, or None where all do.
        action, subject, detail
            What the audit chain says, beside the number of rows.
        """
        self.sweep()
        gone = 0
        for attempt in range(_ATTEMPTS):
            try:
                for chunk in self.named(deployment):
                    staying = change(chunk)
                    if staying is not None:
                        self._replace([chunk], staying)
                        gone += chunk.rows - staying.num_rows
                break
            except (Conflict, NotFound):  # merged meanwhile: what was done stays done
                if attempt + 1 == _ATTEMPTS:
                    raise
        with self._database.writing() as connection:
            audit.append(connection, self._actor, action, subject, {**detail, "rows": gone})
        self.sweep()
        return gone

    def clear(self, deployment: str, *, action: str) -> int:
        """Erase all rows of a deployment and return how many that were."""
        nothing = pa.table({})
        detail: dict[str, Any] = {"why": "the deployment was removed"}
        subject = f"deployment/{deployment}"
        return self.rewrite(lambda _: nothing, deployment=deployment, action=action, subject=subject, detail=detail)

    def sweep(self) -> None:
        """Remove the content that is condemned."""
        with self._database.reading() as connection:
            digests = connection.scalars(select(condemned.c.digest)).all()
        for digest in digests:
            with self._database.writing(lock=f"chunk/{digest}") as connection:
                if connection.scalar(select(chunks.c.number).where(chunks.c.digest == digest).limit(1)) is None:
                    self._blobs.remove(digest)
                connection.execute(delete(condemned).where(condemned.c.digest == digest))

    def _merge(self, deployment: str) -> None:
        mine = (chunks.c.kind == self._kind) & (chunks.c.deployment == deployment)
        query = select(chunks).where(mine).order_by(chunks.c.number.desc()).limit(MANY)
        with self._database.reading() as connection:
            newest = [Chunk(**row) for row in connection.execute(query).mappings()]
        if len(newest) < MANY or any(chunk.rows >= LARGE for chunk in newest):
            return
        newest.reverse()
        try:
            whole = concatenate([self.rows(chunk) for chunk in newest])
            self._replace(newest, whole if self._tidy is None else self._tidy(whole))
        except (Conflict, NotFound):  # another process merged or erased; nothing is lost by waiting for the next time
            return
        self.sweep()

    def _replace(self, old: Sequence[Chunk], rows: pa.Table) -> None:
        """Let the place of the first chunk hold these rows; raise `Conflict` where one has changed meanwhile."""
        deployment, numbers = old[0].deployment, [chunk.number for chunk in old]
        digests = {chunk.digest for chunk in old}
        written = self._written(deployment, rows) if rows.num_rows else None
        locks = [f"chunks/{self._kind}/{deployment}", *(() if self._media is None else (media.LOCK,))]
        with self._database.writing(lock=locks) as connection:
            there = connection.execute(select(chunks.c.number, chunks.c.digest).where(chunks.c.number.in_(numbers)))
            if {tuple(row) for row in there} != {(chunk.number, chunk.digest) for chunk in old}:
                raise Conflict("the prediction log was rewritten by another process meanwhile")
            if written is None:
                connection.execute(delete(chunks).where(chunks.c.number.in_(numbers)))
            else:
                connection.execute(update(chunks).where(chunks.c.number == numbers[0]).values(**written))
                connection.execute(delete(chunks).where(chunks.c.number.in_(numbers[1:])))
            if self._media is not None:
                named = media.held(connection, numbers)
                media.drop(connection, numbers, left=digests_in(rows, named), to=numbers[0])
            for digest in digests - {written["digest"] if written else ""}:
                _condemn(connection, digest)

    def _written(self, deployment: str, rows: pa.Table) -> dict[str, Any]:
        """Write the blob and return the row that will name it."""
        content = io.BytesIO()
        pq.write_table(rows, content, compression="zstd")
        moments = pc.min_max(rows["moment"]).as_py()
        named = rows["subject"].length() - rows["subject"].null_count if "subject" in rows.column_names else 0
        return {
            "kind": self._kind,
            "deployment": deployment,
            "digest": self._blobs.put(content.getvalue()),
            "rows": rows.num_rows,
            "first": moments["min"],
            "last": moments["max"],
            "subjects": named,
        }


class _Erased(Conflict):
    """Rows came for a log that was erased: those before a moment do not belong there any more."""

    def __init__(self, until: datetime) -> None:
        super().__init__("the log of this deployment was erased")
        self.until = until


def digests_in(rows: pa.Table, known: Collection[str]) -> set[str]:
    """Return those of the known digests that the inputs of rows name."""
    found: set[str] = set()
    if known:
        wanted = pa.array(sorted(known))
        for field in rows.schema:
            if field.name.startswith(INPUT) and pa.types.is_string(field.type):
                values = rows[field.name]
                found.update(pc.unique(values.filter(pc.is_in(values, wanted))).to_pylist())
    return found


def between(moments: pa.ChunkedArray, since: datetime | None, until: datetime | None) -> pa.ChunkedArray:
    """Return which moments are from `since` and before `until`."""
    low, high = pa.scalar(since or _FIRST, MOMENT), pa.scalar(until or _LAST, MOMENT)
    return pc.and_(pc.greater_equal(moments, low), pc.less(moments, high))


_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def _condemn(connection: Connection, digest: str) -> None:
    if connection.scalar(select(chunks.c.number).where(chunks.c.digest == digest).limit(1)) is None:
        upsert(connection, condemned, {"digest": digest}, {"moment": now()})


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables one below the other: a column that one lacks is missing there, and kinds that clash become text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError:
        return pa.concat_tables(_alike(tables), promote_options="default")


def _alike(tables: Sequence[pa.Table]) -> list[pa.Table]:
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            types.setdefault(column.name, set()).add(column.type)
    clashing = {name for name, found in types.items() if len(found - {pa.null()}) > 1}
    return [
        table.cast(
            pa.schema([pa.field(one.name, pa.string() if one.name in clashing else one.type) for one in table.schema])
        )
        for table in tables
    ]
