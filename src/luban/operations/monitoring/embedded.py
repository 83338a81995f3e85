"""Columns of texts, pictures and sounds by their embeddings: of what a model learnt from, kept, and of a window."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound, Unavailable
from luban.core.kinds import MEANINGS
from luban.core.report import Finding, Report
from luban.core.serial import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.core.protocols import Executor
    from luban.core.schema import Column
    from luban.monitoring.baseline import Baseline
    from luban.monitoring.vectors import Embedded
    from luban.operations.monitoring.embedding import Embeddings
    from luban.operations.monitoring.remembered import Remembered
    from luban.store import Workspace

CHECK = "baseline_embeddings"
"""Name of the check under which those of what a model learnt from are kept, each column by itself."""

FORM = 1
"""Form of what is kept; another one is made anew."""

KEPT = 500
"""Values of a baseline that are embedded: more than of a window, since every window is held against the same."""

ROWS = 200
"""Values of a window that are embedded."""

FEWEST = 30
"""Values below which a column is not compared."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A baseline with embeddings, those of a window, and in words what was compared by what.

    Parameters
    ----------
    vectors : mapping of str to numpy.ndarray
        Shape (n, d), by column.
    """

    base: Baseline
    vectors: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def beside(
    workspace: Workspace,
    version: ModelVersion,
    base: Baseline,
    window: pa.Table,
    *,
    before: pa.Table | None = None,
    logged: bool = False,
    remembered: Remembered | None = None,
    seed: int = 0,
) -> Beside:
    """Return the baseline with embeddings beside those of a window, for columns of which both have enough values.

    Vectors of what was asked go into no cache: they would outlive the rows of the log. Of windows that overlap mostly
    the same values are drawn.

    Parameters
    ----------
    window : pyarrow.Table
        Canonical; pictures and sounds as references, or by their digests where it is of the log.
    before : pyarrow.Table, optional
        The window before, of the log, instead of what the model learnt from.
    logged : bool
        Whether the window is of the log.
    remembered : Remembered, optional
        The vectors of looks before this one, of the log.
    """
    from luban.execution.local import LocalExecutor

    bases: dict[str, Embedded] = {}
    vectors: dict[str, np.ndarray] = {}
    notes: list[str] = []
    read = [
        one
        for one in version.signature.inputs
        if not MEANINGS[one.kind].cell and one.name in window.column_names and _enough(one, window)
    ]
    if not read:
        return Beside(base=base, vectors={}, notes=())
    with closing(LocalExecutor()) as executor:
        for column in read:
            try:
                values = _values(workspace, column, window, ROWS, seed + 1, logged=logged)
                if before is not None:
                    past = _values(workspace, column, before, KEPT, seed, logged=True)
                    old = _embedded(_of(executor, column, past, remembered=remembered))
                else:
                    old = _learnt(workspace, version, executor, column, seed)
                cache = None if logged else _cache(workspace)
                new = _of(executor, column, values, backbone=old.backbone, cache=cache, remembered=remembered)
                if new.digest != old.digest:  # another version of the backbone is installed by now
                    old = _learnt(workspace, version, executor, column, seed, instead=new)
            except (InputError, NotFound, Unavailable) as reason:
                instead = "compared by runs of three characters" if MEANINGS[column.kind].prose else "not compared"
                notes.append(f"{column.name!r} is {instead}: {reason}")
                continue
            bases[column.name], vectors[column.name] = old, new.vectors
            notes.append(
                f"{column.name!r} is compared by embeddings of {old.backbone}: {len(new.vectors):,} values of "
                f"{window.num_rows:,} rows with {old.vectors.rows:,} of {base.subject}."
            )
    inputs = tuple(replace(one, embedded=bases.get(one.name)) for one in base.inputs)
    return Beside(base=replace(base, inputs=inputs), vectors=vectors, notes=tuple(notes))


def _enough(column: Column, table: pa.Table) -> bool:
    """Return whether a column could be compared at all; where not, the report says so of all columns."""
    from luban.monitoring.baseline import present

    return len(present(column, table[column.name])) >= FEWEST


def _learnt(
    workspace: Workspace,
    version: ModelVersion,
    executor: Executor,
    column: Column,
    seed: int,
    *,
    instead: Embeddings | None = None,
) -> Embedded:
    """Return the embeddings of what a model learnt from, kept from the first time on; by the backbone of `instead`."""
    from luban.data import versions
    from luban.data.conform import conform
    from luban.monitoring.vectors import Embedded

    for entry in workspace.reports.list(subject=version.reference, check=CHECK):
        kept = workspace.reports.get(entry.digest).figures
        if kept["form"] == FORM and kept["column"] == column.name:
            found = from_json(Embedded, kept["embedded"])
            if instead is None or instead.digest == found.digest:
                return found
    if version.dataset is None:
        raise NotFound(f"it is not known what {version.reference} learnt from")
    table = versions.table(workspace, version.dataset, columns=[column.name])
    table = conform(table.take(_places(table.num_rows, 2 * KEPT, seed)), [column], infinities="missing").table
    values = _values(workspace, column, table, KEPT, seed, logged=False)
    named = None if instead is None else instead.backbone
    made = _embedded(_of(executor, column, values, backbone=named, cache=_cache(workspace)))
    workspace.reports.add(
        Report(
            check=CHECK,
            subject=version.reference,
            verdict="info",
            findings=(Finding(what=f"{made.vectors.rows:,} values of {column.name!r} by {made.backbone}", value=KEPT),),
            figures={"form": FORM, "column": column.name, "embedded": to_json(made)},
        )
    )
    return made


def _embedded(made: Embeddings) -> Embedded:
    from luban.monitoring.vectors import Embedded, vectors

    small = vectors(made.vectors)
    assert small is not None  # there are at least FEWEST
    return Embedded(backbone=made.backbone, digest=made.digest, vectors=small)


def _of(
    executor: Executor,
    column: Column,
    values: Iterable[str | bytes],
    *,
    backbone: str | None = None,
    cache: str | None = None,
    remembered: Remembered | None = None,
) -> Embeddings:
    """Return the vectors of values, by the backbone that the zoo offers where none is named."""
    from luban.foundation import zoo
    from luban.operations.monitoring.embedding import embeddings

    if backbone is None:
        values = list(values) if MEANINGS[column.kind].prose else values
        sample = values if isinstance(values, list) else ()
        backbone = zoo.default(column.kind, sample).card().name
    if remembered is not None:
        made = remembered.embeddings(executor, values, backbone=backbone)
    else:
        made = embeddings(executor, values, backbone=backbone, cache=cache)
    if len(made.vectors) < FEWEST:
        raise InputError(f"only {len(made.vectors):,} values can be read, and {FEWEST} are needed")
    return made


def _values(
    workspace: Workspace, column: Column, table: pa.Table, most: int, seed: int, *, logged: bool
) -> Iterable[str | bytes]:
    """Return at most so many of the values that are there: texts and references, or content that the log keeps.

    Raises
    ------
    InputError
        If there are too few.
    """
    import pyarrow as pa

    from luban.monitoring.baseline import present

    held = present(column, table[column.name])
    assert isinstance(held, pa.Array)  # neither numbers nor dates
    if len(held) < FEWEST:
        raise InputError(f"there are {len(held):,} values, and {FEWEST} are needed")
    if not logged:
        return list(held.take(_places(len(held), most, seed)).to_pylist())
    if not MEANINGS[column.kind].file:
        return _drawn(held.to_pylist(), most, seed)
    digests = held.to_pylist()
    kept = workspace.predictions.media.kept(set(digests))
    there = [one for one in digests if one in kept]
    if len(there) < FEWEST:
        raise InputError(
            f"the log keeps the content of {len(there):,} of {len(digests):,} values, and {FEWEST} are needed",
            remedy="Let it keep them from now on: luban deploy NAME --media keep.",
        )
    return _contents(workspace, _drawn(there, most, seed))


def _contents(workspace: Workspace, digests: list[str]) -> Iterator[bytes]:
    for one in digests:
        try:
            yield workspace.predictions.media.blobs.get(one)
        except NotFound:  # erased since: its row goes too
            continue


def _drawn(values: list[str], most: int, seed: int) -> list[str]:
    """Return at most so many values, as if drawn at random, and of windows that overlap mostly the same.

    Those of the least hashes, of the value and of how often it came before in the window: each row has the same chance.
    """
    if len(values) <= most:
        return values
    times: Counter[str] = Counter()
    hashes = []
    for place, value in enumerate(values):
        text = f"{seed}/{times[value]}/{value}".encode("utf-8", "surrogatepass")
        hashes.append((hashlib.blake2b(text, digest_size=8).digest(), place))
        times[value] += 1
    return [values[place] for _, place in sorted(hashes)[:most]]


def _places(count: int, most: int, seed: int) -> pa.Array:
    """Return at most so many places of `count`, drawn at random, in order."""
    import numpy as np
    import pyarrow as pa

    from luban.monitoring.vectors import some

    return pa.array(some(np.arange(count), most, seed))


def _cache(workspace: Workspace) -> str:
    return str(workspace.root / "cache")
