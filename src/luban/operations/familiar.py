"""Whether rows are among those that a model learnt from: on these its figures say little about others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import NotFound, Tampered
from luban.core.report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.operations.updating.rows import Rows
    from luban.store import Workspace

# What is compared at most, so that looking never takes long: values of a table, bytes of its texts, rows with files.
_CELLS, _BYTES, _FILES = 4_000_000, 200_000_000, 2_000
_ROWS = 200_000
# Rows of few and coarse columns are equal by chance, as often as rows of the data set are equal to one another.
_BEYOND_CHANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Familiar:
    """How many of the rows a model learnt from, and what is to be said of it."""

    rows: int
    finding: Finding


def familiar(workspace: Workspace, version: ModelVersion, table: pa.Table, target: np.ndarray) -> Familiar | None:
    """Return that a version learnt from some of these rows, or None where it did not or nothing is known of it.

    A row is known again by the values of all inputs and of the target, wherever the files that it names may lie. Of
    large data a part is compared.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical inputs.
    target : numpy.ndarray
        As the metrics take it.
    """
    import numpy as np

    from luban.operations.updating.continued import keys
    from luban.operations.updating.rows import Rows

    most = _most(table)
    asked = np.array(keys(Rows(table=table, target=target).part(0, most)), dtype=np.uint64)
    learnt = []
    for one in (version, *_before(workspace, version)):
        try:
            rows_of_one = _rows(workspace, one, most)
            learnt += [] if rows_of_one is None else keys(rows_of_one)
        except (NotFound, Tampered):  # data that are gone or damaged tell nothing, and the model needs them no more
            continue
    if not learnt:
        return None
    known = np.array(learnt, dtype=np.uint64)
    _, counts = np.unique(known, return_counts=True)
    by_chance = counts[counts > 1].sum() / max(1, len(known))
    found = int(np.isin(asked, known).sum())
    if found <= (by_chance + _BEYOND_CHANCE) * len(asked):
        return None
    rows = "all rows" if found == len(asked) else f"{found:,} of {len(asked):,} rows"
    part = f" (the first {len(asked):,} were looked at)" if len(asked) < len(target) else ""
    finding = Finding(
        what=f"{version.reference} has learnt from {rows}{part}: the figures flatter it",
        verdict="warn",
        value=found,
        remedy="Rows that it has not seen tell how good it is; what its fit measured on such is in luban models show.",
    )
    return Familiar(rows=found, finding=finding)


def _most(table: pa.Table) -> int:
    """Return how many rows are compared."""
    from luban.data.media import marks

    if any(marks.kind(field) is not None for field in table.schema):
        return _FILES
    wide = table.nbytes / max(1, table.num_rows)
    most: int = min(_ROWS, _CELLS // max(1, table.num_columns), int(_BYTES / max(1.0, wide)))
    return max(1, most)


def _before(workspace: Workspace, version: ModelVersion) -> Iterator[ModelVersion]:
    """Yield the versions that one went on learning from, while they are there."""
    steps = () if version.recipe is None else version.recipe.steps
    for step in steps:
        if step.component == "continue":
            try:
                yield workspace.models.get(step.parameters["from"])
            except NotFound:  # deleted: what it learnt from is known no more
                continue


def _rows(workspace: Workspace, version: ModelVersion, most: int) -> Rows | None:
    """Return the first rows that a version learnt from; None where it is not known which these are."""
    import numpy as np
    import pyarrow as pa

    from luban.data import versions
    from luban.data.conform import conform
    from luban.operations.fitting.kept_out import kept_out, some_kept_out
    from luban.operations.updating.rows import learnable

    if version.dataset is None:
        return None
    names = [*(column.name for column in version.signature.inputs), version.task.target]
    seen = 0
    batches = []
    for batch in versions.batches(workspace, version.dataset, columns=names):
        batches.append(batch)
        seen += batch.num_rows
        if seen >= most:
            break
    whole = pa.Table.from_batches(batches).slice(0, most)
    inputs = conform(whole.select(names[:-1]), version.signature.inputs, infinities="missing").table
    rows = learnable(version.task, inputs, whole[version.task.target])[0]
    if not some_kept_out(workspace, version):
        return rows
    kept = kept_out(workspace, version, rows.target if seen < most else _target(workspace, version))
    if kept is None:  # some rows were kept out, and any may be one of them
        return None
    others = np.setdiff1d(np.arange(len(rows)), kept)
    return type(rows)(table=rows.table.take(pa.array(others)), target=rows.target[others])


def _target(workspace: Workspace, version: ModelVersion) -> np.ndarray:
    """Return all known targets of a version's data set, by which the rows that were kept out are known again."""
    import pyarrow as pa

    from luban.data import versions
    from luban.data.conform import conform
    from luban.data.target import labelled_rows

    assert version.dataset is not None
    task = version.task
    texts = [one for one in version.signature.inputs if task.kind == "tokens" and one.name == task.inputs[0]]
    names = [*(one.name for one in texts), task.target]
    read = versions.batches(workspace, version.dataset, columns=names, fetch=False)
    whole = pa.Table.from_batches(list(read))
    words = conform(whole.select(names[:-1]), texts, infinities="missing").table[task.inputs[0]] if texts else None
    return labelled_rows(task, whole[task.target], words)[1]
