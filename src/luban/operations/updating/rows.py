"""Rows of an update, in the order of time, as learners take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    import pyarrow as pa

    from luban.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in the order of time: canonical inputs and the target, as `luban.core.protocols.Examples` has it."""

    table: pa.Table
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def part(self, start: int, end: int | None = None) -> Rows:
        """Return the rows from `start` and before `end`; negative numbers count from the end."""
        first, last, _ = slice(start, end).indices(len(self))
        return Rows(table=self.table.slice(first, max(0, last - first)), target=self.target[first : max(first, last)])

    def sample(self, count: int, seed: int) -> Rows:
        """Return so many rows, or all, drawn without return; their order stays."""
        import numpy as np
        import pyarrow as pa

        if count >= len(self):
            return self
        places = np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))
        return Rows(table=self.table.take(pa.array(places)), target=self.target[places])


def without(rows: Rows, references: Collection[str]) -> Rows:
    """Return rows in which these references to pictures and sounds are missing."""
    import pyarrow as pa

    from luban.data.media import marks

    table = rows.table
    for place, field in enumerate(table.schema):
        if marks.kind(field) is not None:
            values = [None if one in references else one for one in table[field.name].to_pylist()]
            table = table.set_column(place, field, pa.array(values, pa.string()))
    return Rows(table=table, target=rows.target)


def joined(parts: list[Rows]) -> Rows:
    """Return rows one after another."""
    import numpy as np
    import pyarrow as pa

    schema = parts[0].table.schema
    tables = [part.table.cast(schema) for part in parts]
    targets = [part.target for part in parts]
    if targets[0].ndim == 2 and len({one.shape[1] for one in targets}) > 1:  # texts of more and of fewer words
        longest = max(one.shape[1] for one in targets)
        targets = [np.pad(one, ((0, 0), (0, longest - one.shape[1])), constant_values=-1) for one in targets]
    return Rows(table=pa.concat_tables(tables).combine_chunks(), target=np.concatenate(targets))


def learnable(task: Task, table: pa.Table, target: pa.ChunkedArray) -> tuple[Rows, np.ndarray, tuple[str, ...]]:
    """Return the rows whose true value the task knows, their places, and in words how many others there are.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical inputs.
    target : pyarrow array
        Labels or numbers, as users have them.

    Raises
    ------
    InputError
        If there is no such row.
    """
    import pyarrow as pa

    from luban.data.target import labelled_rows, missing_target

    places, values = labelled_rows(task, target, table[task.inputs[0]])
    strange = len(target) - len(places) - int(missing_target(target).sum())
    return Rows(table=table.take(pa.array(places)), target=values), places, none_known(strange)


def none_known(rows: int) -> tuple[str, ...]:
    """Return in words that so many rows have a label that the task does not know, nothing for none."""
    if not rows:
        return ()
    return (f"{rows:,} labels are none of the model's classes and are left out; fit anew to learn new classes.",)


def in_any_order(task: Task, rows: Rows) -> Rows:
    """Return rows that stand class by class, as those of a folder do, in an order of chance: theirs is none of time.

    The newest of them would all be of the last class; by chance they are of all. Other rows stay as they are.
    """
    import numpy as np
    import pyarrow as pa

    if not task.classifies or len(rows) < 2:
        return rows
    runs = 1 + int((np.diff(rows.target) != 0).sum())
    if runs == 1 or runs != len(np.unique(rows.target)) or runs == len(rows):
        return rows
    order = np.random.default_rng(0).permutation(len(rows))
    return Rows(table=rows.table.take(pa.array(order)), target=rows.target[order])
