"""Labels: what turned out to be true of a prediction, however long after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.core.request_id import meant
from luban.store.chunks import MOMENT, Chunks, between, concatenate
from luban.store.clock import now
from luban.store.names import valid_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from luban.store.blobs import Blobs
    from luban.store.chunks import Chunk
    from luban.store.database import Database
    from luban.store.predictions import Predictions

KEY = ("request_id", "row")
COLUMNS = pa.schema([("request_id", pa.string()), ("row", pa.int32()), ("label", pa.null()), ("moment", MOMENT)])


class Labels:
    """The labels of all deployments, each for one row of one request; a later one takes the place of an earlier."""

    def __init__(self, database: Database, blobs: Blobs, actor: str, predictions: Predictions) -> None:
        self._chunks = label_chunks(database, blobs, actor)
        self._predictions = predictions

    def add(
        self,
        deployment: str,
        request_ids: Sequence[str] | pa.Array | pa.ChunkedArray,
        rows: Sequence[int] | pa.Array | pa.ChunkedArray | None,
        labels: Sequence[Any] | pa.Array | pa.ChunkedArray,
        moment: datetime | None = None,
    ) -> int:
        """Store labels, for good when this returns, and return how many.

        To send the same again changes nothing; of several for one row the last one counts. A label may come before
        its prediction is stored.

        Parameters
        ----------
        request_ids : sequence of str
            As they were sent, or as the header ``x-request-id`` of the answers spells them.
        rows : sequence of int, optional
            The place of each row in its request; by default 0.
        labels : sequence
            Classes or numbers.
        moment : datetime, optional
            When they became known; by default now.
        """
        name = valid_name("deployment", deployment)
        ids = _array(request_ids, pa.string(), "request ids")
        places = _array(rows, pa.int32(), "rows") if rows is not None else pa.array(np.zeros(len(ids), np.int32))
        values = _array(labels, None, "labels")
        if not len(ids) == len(places) == len(values):
            raise InputError(
                "there must be as many labels as request ids and rows",
                seen=f"{len(ids)} request ids, {len(places)} rows, {len(values)} labels",
            )
        if ids.null_count or places.null_count or values.null_count:
            raise InputError("request ids, rows and labels must not be missing")
        moments = pa.repeat(pa.scalar(moment or now(), MOMENT), len(ids))
        self._chunks.add(name, pa.table([ids, places, values, moments], names=COLUMNS.names))
        return len(ids)

    def read(self, deployment: str, since: datetime | None = None, until: datetime | None = None) -> pa.Table:
        """Return ``request_id``, ``row``, ``label`` and ``moment`` of the labels that became known in a time."""
        found = self._chunks.read(valid_name("deployment", deployment))
        table = last(concatenate([COLUMNS.empty_table(), *found]))
        return table.filter(between(table["moment"], since, until)) if since or until else table

    def count(self, deployment: str) -> int:
        """Return how many labels of a deployment are stored; one that was sent again counts until chunks are merged."""
        return self._chunks.count(valid_name("deployment", deployment))

    def newest(self, deployment: str) -> int | None:
        """Return a number that changes when labels are added; None where there are none."""
        return self._chunks.newest(valid_name("deployment", deployment))

    def joined(
        self,
        deployment: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return the rows of the prediction log from a time that have a label, with ``label`` and ``label_moment``.

        Parameters
        ----------
        since, until : datetime, optional
            About the predictions; their labels may have come at any time.
        columns : sequence of str, optional
            Of the log, only these.
        """
        wanted = None if columns is None else [*dict.fromkeys([*KEY, *columns])]
        log = self._predictions.read(deployment, since=since, until=until, columns=wanted)
        labels = self.read(deployment)
        left = keys(log).append_column("left", pa.array(np.arange(log.num_rows)))
        right = keys(labels).append_column("right", pa.array(np.arange(labels.num_rows)))
        met = left.join(right, keys=list(KEY), join_type="inner").sort_by("left")
        table = log.take(met["left"])
        table = table if columns is None else table.select([one for one in columns if one in table.column_names])
        theirs = labels.take(met["right"])
        return table.append_column("label", theirs["label"]).append_column("label_moment", theirs["moment"])

    def met(
        self,
        deployment: str,
        request_ids: pa.Array | pa.ChunkedArray,
        rows: pa.Array | pa.ChunkedArray | None,
        *,
        newest: int,
    ) -> tuple[int, int]:
        """Return how many of these are among the newest rows of the prediction log, and how many rows were looked at.

        Parameters
        ----------
        newest : int
            So many rows of the log are looked at, or some more: all that its chunks hold from the same moment on.
        """
        since = self._predictions.newest(deployment, newest)
        log = self._predictions.read(deployment, since=since, columns=KEY)
        ids = _array(request_ids, pa.string(), "request ids")
        places = pa.array(np.zeros(len(ids), np.int32)) if rows is None else _array(rows, pa.int32(), "rows")
        there = keys(pa.table([ids, places], names=KEY)).join(keys(log), keys=list(KEY), join_type="left semi")
        return there.num_rows, log.num_rows


def label_chunks(database: Database, blobs: Blobs, actor: str) -> Chunks:
    """Return where labels are kept."""
    return Chunks(database, blobs, actor, "label", tidy=last)


def forget(labels: Chunks, deployment: str, rows: pa.Table) -> None:
    """Erase the labels of these (request_id, row)."""
    gone = keys(rows)

    def staying(chunk: Chunk) -> pa.Table | None:
        mine = labels.rows(chunk)
        left = keys(mine).append_column("place", pa.array(np.arange(mine.num_rows)))
        kept = left.join(gone, keys=list(KEY), join_type="left anti")["place"]
        return None if len(kept) == mine.num_rows else mine.take(pa.array(np.sort(kept.to_numpy())))

    labels.rewrite(staying, deployment=deployment, action="labels.erase", subject=f"deployment/{deployment}", detail={})


def last(labels: pa.Table) -> pa.Table:
    """Return the last label of each row, in the order in which these came."""
    places = keys(labels).append_column("place", pa.array(np.arange(labels.num_rows)))
    newest = places.group_by(list(KEY)).aggregate([("place", "max")])["place_max"]
    if len(newest) == labels.num_rows:
        return labels
    return labels.take(pa.array(np.sort(newest.to_numpy())))


def keys(rows: pa.Table) -> pa.Table:
    """Return ``request_id`` and ``row`` of rows, each id as it is meant, whichever way it is spelt."""
    found = rows.select(KEY)
    ids = found["request_id"]
    there = pc.fill_null(pc.match_substring(ids, "%"), False)
    if not pc.any(there).as_py():
        return found
    spelt = pa.array(map(meant, ids.filter(there).to_pylist()), pa.string())
    return found.set_column(0, "request_id", pc.replace_with_mask(ids.combine_chunks(), there.combine_chunks(), spelt))


def _array(values: Any, kind: pa.DataType | None, what: str) -> pa.Array:
    try:
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if isinstance(values, pa.Array):
            return values if kind is None else values.cast(kind)
        return pa.array(list(values), type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise InputError(f"the {what} cannot be read", seen=str(error)) from None
