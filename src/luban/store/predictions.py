"""The prediction log: what was asked, what was answered, by which version, for whom."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.store.chunks import MOMENT, Chunks, between, concatenate, digests_in
from luban.store.clock import now
from luban.store.labels import forget, label_chunks
from luban.store.media import Media
from luban.store.names import valid_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from luban.store.blobs import Blobs
    from luban.store.chunks import Chunk
    from luban.store.database import Database

COLUMNS = pa.schema(
    [
        ("request_id", pa.string()),
        ("row", pa.int32()),
        ("moment", MOMENT),
        ("deployment", pa.string()),
        ("model", pa.string()),
        ("arm", pa.string()),
        ("latency_ms", pa.float32()),
        ("subject", pa.string()),
        ("consent", pa.bool_()),
    ]
)
"""What every row has, beside ``input.<column>`` and ``output.prediction``, ``output.probability_<class>``.

``row`` is its place in the request, ``model`` a reference (``"adult/3"``), ``arm`` one of champion, canary and shadow;
``subject`` and ``consent`` are null where the request did not say.
"""


class Predictions:
    """The log of all deployments, in chunks of Parquet; ``media`` holds the pictures and sounds that it keeps."""

    def __init__(self, database: Database, blobs: Blobs, actor: str) -> None:
        self.media = Media(database, blobs)
        self._chunks = Chunks(database, blobs, actor, "prediction", media=self.media)
        self._labels = label_chunks(database, blobs, actor)

    def append(self, table: pa.Table, contents: Mapping[str, bytes] | None = None) -> None:
        """Store rows; when this returns they are on the disk.

        The same rows given again, as by a writer that cannot know whether its last attempt went through, are
        stored once.

        Parameters
        ----------
        table : pyarrow.Table
            With `COLUMNS` in this order first, of one deployment or several.
        contents : mapping of str to bytes, optional
            Pictures and sounds to keep with the rows, by the digests that these hold.
        """
        if table.schema.names[: len(COLUMNS)] != COLUMNS.names:
            raise InputError("rows of the prediction log lack columns", seen=", ".join(table.schema.names))
        for deployment in pc.unique(table["deployment"]).to_pylist():
            mine = table.filter(pc.equal(table["deployment"], deployment))
            theirs = {digest: contents[digest] for digest in digests_in(mine, contents)} if contents else None
            self._chunks.add(valid_name("deployment", deployment), mine, once=True, contents=theirs)

    def read(
        self,
        deployment: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return the rows of a deployment from `since` and before `until`, in the order in which they were stored.

        Parameters
        ----------
        columns : sequence of str, optional
            Only these, where there are such; a column that a chunk lacks is null there.
        """
        wanted = None if columns is None else [*columns, "moment"]
        name = valid_name("deployment", deployment)
        found = self._chunks.read(name, since=since, until=until, columns=wanted)
        table = concatenate([COLUMNS.empty_table(), *found]) if wanted is None else _chosen(found, wanted)
        table = table.filter(between(table["moment"], since, until)) if since or until else table
        return table if columns is None else table.select([one for one in columns if one in table.column_names])

    def count(self, deployment: str) -> int:
        """Return how many rows of a deployment are stored."""
        return self._chunks.count(valid_name("deployment", deployment))

    def left(self, deployment: str) -> int:
        """Return how many rows and labels of a deployment are stored."""
        name = valid_name("deployment", deployment)
        return self._chunks.count(name) + self._labels.count(name)

    def newest(self, deployment: str, rows: int) -> datetime | None:
        """Return a moment from which on at least so many rows of a deployment are stored; None where all are needed.

        It costs one query, so that whoever wants the newest rows need not read the others.
        """
        found = 0
        for chunk in sorted(
            self._chunks.named(valid_name("deployment", deployment)), key=lambda one: one.first, reverse=True
        ):
            found += chunk.rows
            if found >= rows:
                return chunk.first
        return None

    def erase(self, subject: str) -> int:
        """Erase every row about a person, the labels of those rows too, and return how many predictions that were.

        The chunks are written anew without them and the old content is removed, with the pictures and sounds that no
        other row of the log names. What a running server has not stored yet follows within a second or so; erase again
        after that where a server may still have such rows.
        The audit chain keeps that it was done, and a digest of the subject.
        """
        if not subject:
            raise InputError("the subject to erase must be named")
        for deployment, rows in self.about(subject).items():
            forget(self._labels, deployment, rows)

        def staying(chunk: Chunk) -> pa.Table | None:
            if not chunk.subjects:
                return None
            there = pc.fill_null(pc.equal(self._chunks.rows(chunk, ["subject"])["subject"], subject), False)
            return self._chunks.rows(chunk).filter(pc.invert(there)) if pc.any(there).as_py() else None

        named = f"sha256:{hashlib.sha256(subject.encode()).hexdigest()}"
        gone = self._chunks.rewrite(staying, action="predictions.erase", subject=f"subject/{named}", detail={})
        self.media.sweep()
        return gone

    def clear(self, deployment: str) -> tuple[int, int]:
        """Erase the whole log of a deployment, and return how many predictions and labels that were.

        Pictures and sounds that no other row names go with it. A server that answers under the name goes on storing,
        unless the deployment was removed with its log (`luban.store.deployments.Deployments.remove`).
        """
        name = valid_name("deployment", deployment)
        labels = self._labels.clear(name, action="labels.erase")
        rows = self._chunks.clear(name, action="predictions.erase")
        self.media.sweep()
        return rows, labels

    def retain(self, deployment: str, days: int) -> int:
        """Erase what is older than so many days, and return how many rows that were.

        Their pictures and sounds are erased by `Media.sweep`: there may be many.
        """
        if days < 0:
            raise InputError("the days to keep predictions must be at least 0", seen=str(days))
        name, oldest = valid_name("deployment", deployment), now() - timedelta(days=days)
        if not any(chunk.first < oldest for chunk in self._chunks.named(name, until=oldest)):
            return 0

        def staying(chunk: Chunk) -> pa.Table | None:
            if chunk.first >= oldest:
                return None
            rows = self._chunks.rows(chunk)
            return rows.filter(between(rows["moment"], oldest, None))

        return self._chunks.rewrite(
            staying,
            deployment=name,
            action="predictions.retain",
            subject=f"deployment/{name}",
            detail={"days": days},
        )

    def about(self, subject: str) -> dict[str, pa.Table]:
        """Return (request_id, row) of every row about a person, by deployment."""
        found: dict[str, list[pa.Table]] = {}
        for deployment, theirs in self._chunks.about(subject, ["request_id", "row"]):
            if theirs.num_rows:
                found.setdefault(deployment, []).append(theirs)
        return {deployment: pa.concat_tables(tables) for deployment, tables in found.items()}


def _chosen(tables: list[pa.Table], columns: Sequence[str]) -> pa.Table:
    names = [one for one in COLUMNS.names if one in set(columns)]
    return concatenate([COLUMNS.empty_table().select(names), *tables])
