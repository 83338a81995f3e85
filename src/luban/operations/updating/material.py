"""What an update works with: rows to learn from, and the newest, which judge and are never learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound
from luban.operations.updating.asked import fetched, folder, referred
from luban.operations.updating.rows import Rows, in_any_order, joined, learnable, none_known, without
from luban.operations.updating.subject import TAG, check_logged

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.operations.updating.subject import Subject
    from luban.store import Workspace

FEWEST = 50
"""Rows that are needed to judge, and as many new ones to learn from."""

MOST = 20_000
"""Rows that judge, at most."""

MOST_BEFORE = 20
"""Champions before the present one whose rows are known again."""

REPLAYED = 0.5
"""Old rows that are shown again where a model goes on learning, for each new one."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What an update works with.

    Parameters
    ----------
    known : Rows
        What the champion may have learnt from: the data set that it came from, and labelled predictions up to its time.
    new : Rows
        Later rows that may be learnt from; empty where there are too few rows.
    fresh : Rows
        The newest rows of all.
    base : str
        The data set that the first rows of `known` are.
    until : datetime, optional
        Moment of the last row that may be learnt from; None where rows have no moments.
    moments : numpy.ndarray, optional
        Of the rows of `new` and `fresh`, microseconds in UTC.
    waiting : int
        New rows in all, `new` and `fresh`.
    labelled : int
        Rows of the log with a label, new or not.
    asked : mapping of str to str
        Pictures and sounds of the log that rows name, by digest, and their kinds; see `at_hand`.
    """

    known: Rows
    new: Rows
    fresh: Rows
    base: str
    waiting: int
    labelled: int
    until: datetime | None = None
    moments: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether there are rows to judge and new ones to learn from."""
        return len(self.fresh) >= FEWEST and len(self.new) > 0

    @property
    def newest(self) -> str | None:
        """The moment of the newest row, in ISO 8601; None where rows have no moments."""
        return None if self.moments is None or not len(self.moments) else str(self.moments[-1])

    def later(self, moment: str) -> Rows:
        """Return the new rows after a moment (see `newest`), at most `MOST`; none where rows have no moments."""
        import numpy as np

        both = joined([self.new, self.fresh])
        if self.moments is None:
            return both.part(len(both))
        first = int(np.searchsorted(self.moments, np.datetime64(moment, "us"), "right"))
        return both.part(max(first, len(both) - MOST))

    def replay(self, rows: int, seed: int) -> Rows:
        """Return the old rows to show again beside so many new ones."""
        return self.known.sample(round(REPLAYED * rows), seed)


def of_log(workspace: Workspace, subject: Subject, share: float) -> Material:
    """Return the labelled rows of the prediction log after the rows that the champion came from."""
    import numpy as np

    check_logged(subject.champion, media=subject.media)
    version = subject.champion
    base = str(subject.made.get("base") or version.dataset)
    rows, moments, asked, notes = _labelled(workspace, subject)
    until = subject.made.get("until")
    since = datetime.fromisoformat(until) if until else version.created
    start = (
        0 if since is None else int(np.searchsorted(moments, np.datetime64(since.replace(tzinfo=None), "us"), "right"))
    )
    held = _held(len(rows) - start, share)
    cut = _boundary(moments, len(rows) - held, start)
    return Material(
        known=joined([base_rows(workspace, version, base), rows.part(0, start)]),
        new=rows.part(start, cut),
        fresh=rows.part(cut),
        base=base,
        until=_moment(moments, cut),
        moments=moments[start:],
        waiting=len(rows) - start,
        labelled=len(rows),
        notes=notes,
        asked=asked,
    )


def at_hand(workspace: Workspace, subject: Subject, material: Material) -> Material:
    """Return what is worked with where the content that rows of the log name can be read; until then it need not be.

    What cannot be decoded is missing, as it was when it was asked.
    """
    broken = fetched(workspace, material.asked, folder(workspace, subject.name))
    if not broken:
        return material
    words = "files of the log cannot be decoded and are missing" if len(broken) > 1 else "file of the log is broken"
    return replace(
        material,
        known=without(material.known, broken),
        new=without(material.new, broken),
        fresh=without(material.fresh, broken),
        notes=(*material.notes, f"{len(broken):,} {words}."),
    )


def of_data(workspace: Workspace, subject: Subject, data: Any, share: float) -> Material:
    """Return the rows of a file after the rows that the champion learnt from.

    The file may hold rows that the champion, or one of those before it, has learnt from: those are left out.
    """
    from luban.data.conform import conform
    from luban.data.media.verify import verified
    from luban.operations.reading import read_table
    from luban.operations.updating.continued import news

    version = subject.champion
    whole = verified(read_table(workspace, data))
    table = whole.table
    target = version.task.target
    if target not in table.column_names:
        raise InputError(
            f"the column {target!r}, which the model predicts, is not in the data",
            seen=f"columns {', '.join(table.column_names[:20])}",
            remedy="Give rows with their true values.",
        )
    table = _in_time(workspace, version, table)
    inputs = [column.name for column in version.signature.inputs if column.name in table.column_names]
    conformed = conform(table.select(inputs), version.signature.inputs, infinities="missing")
    given, _, strange = learnable(version.task, conformed.table, table[target])
    notes = [*whole.notes, *conformed.notes, *strange]
    given = in_any_order(version.task, given)
    line = pools(workspace, version)
    base = line[-1]
    learnt = [base_rows(workspace, version, one) for one in line]
    known = learnt[-1]
    later = news(given, learnt)
    if later is not None:
        notes.append(
            f"{len(given) - len(later):,} of {len(given):,} rows had been learnt from before; they are no news."
        )
        given = later
    held = _held(len(given), share)
    cut = len(given) - held
    return Material(
        known=known,
        new=given.part(0, cut),
        fresh=given.part(cut),
        base=base,
        waiting=len(given),
        labelled=len(given),
        notes=tuple(notes),
    )


def _held(rows: int, share: float) -> int:
    """Return how many of so many new rows judge: a share of them, but no fewer than it takes and never all."""
    held = max(FEWEST, round(share * rows))
    return min(held, MOST, rows // 2)


def _boundary(moments: np.ndarray, cut: int, start: int) -> int:
    """Return the place of a cut at which no rows of one moment are torn apart, where there is one."""
    place = cut
    while place > start and place < len(moments) and moments[place] == moments[place - 1]:
        place -= 1
    return place if place > start else cut


def _moment(moments: np.ndarray, cut: int) -> datetime | None:
    """Return the moment of the last row before a cut."""
    from luban.store.tables import EPOCH

    if cut == 0:
        return None
    return EPOCH + timedelta(microseconds=int(moments[cut - 1].astype("int64")))


def _labelled(workspace: Workspace, subject: Subject) -> tuple[Rows, np.ndarray, Mapping[str, str], tuple[str, ...]]:
    """Return the labelled predictions with their moments, in the order of time, and the files that they name."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from luban.data.conform import conform

    version = subject.champion
    columns = version.signature.inputs
    nothing = pa.table({column.name: pa.array([], pa.null()) for column in columns})
    empty = Rows(table=conform(nothing, columns).table, target=_no_target(version))
    tables = [workspace.labels.joined(name) for name in subject.sources]
    tables = [table.filter(pc.not_equal(table["arm"], "shadow")) for table in tables]
    tables = [table for table in tables if table.num_rows]
    if not tables:
        return empty, np.zeros(0, "datetime64[us]"), {}, ()
    log = pa.concat_tables(tables, promote_options="permissive").sort_by("moment")
    log, asked, lost = referred(workspace, columns, log, folder(workspace, subject.name))
    given = log.select([name for name in log.column_names if name.startswith("input.")])
    given = given.rename_columns([name.removeprefix("input.") for name in given.column_names])
    conformed = conform(given, columns, missing="fill", infinities="missing")
    try:
        rows, places, notes = learnable(version.task, conformed.table, log["label"])
    except InputError:  # none of the labels is one that the task knows
        return empty, np.zeros(0, "datetime64[us]"), {}, (*lost, *none_known(log.num_rows))
    moments = np.asarray(log["moment"].to_numpy()).astype("datetime64[us]")[places]
    return rows, moments, asked, (*lost, *notes)


def _no_target(version: ModelVersion) -> np.ndarray:
    import numpy as np

    kind = version.task.kind
    shape = {"multilabel": (0, len(version.task.classes)), "tokens": (0, 0)}.get(kind, (0,))
    return np.zeros(shape, dtype=np.int64 if version.task.classifies or kind == "tokens" else np.float64)


def base_rows(workspace: Workspace, version: ModelVersion, reference: str) -> Rows:
    """Return the rows of a data set that a model came from, in the order of time where that is known."""
    from luban.data import versions
    from luban.data.conform import conform

    table = _in_time(workspace, version, versions.table(workspace, workspace.datasets.get(reference)))
    inputs = conform(table, version.signature.inputs, infinities="missing").table
    return in_any_order(version.task, learnable(version.task, inputs, table[version.task.target])[0])


def pools(workspace: Workspace, version: ModelVersion) -> list[str]:
    """Return the data sets that a version and those before it had to learn from, the oldest first, its own last."""
    found: list[str] = []
    while True:
        made = version.tags.get(TAG) or {}
        own = str(version.dataset if made.get("until") else made.get("base") or version.dataset)
        before: Sequence[str] = ()
        try:
            before = workspace.datasets.get(own).parents
        except NotFound:
            if not found:  # the champion's own: it cannot be updated without
                raise
        else:
            found.append(own)
        if not made or len(found) == MOST_BEFORE:
            break
        try:
            version = workspace.models.get(str(made.get("champion")))
        except NotFound:  # it was deleted: what it learnt from is still known
            found += [one for one in before if _is_there(workspace, one)]
            break
    return list(reversed(dict.fromkeys(found)))


def _is_there(workspace: Workspace, dataset: str) -> bool:
    try:
        workspace.datasets.get(dataset)
    except NotFound:
        return False
    return True


def _in_time(workspace: Workspace, version: ModelVersion, table: pa.Table) -> pa.Table:
    """Return rows by the column of time that the model was fitted with; without one as they are."""
    import numpy as np

    from luban.operations.fitting.grouping import moments

    asked = {} if version.run is None else workspace.runs.get(version.run).request
    schema = workspace.datasets.get(str(version.dataset)).schema
    time = asked.get("time") or schema.time
    if time is None or time not in table.column_names or time not in schema:
        return table
    ranks = moments(table, schema, time)
    return table if ranks is None else table.take(np.argsort(ranks, kind="stable"))
