"""What a graph is fed: its columns as tensors, and the tensors of the preparations that travel in its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import Unsupported
from luban.data.dates import NO_DATE
from luban.learners.graph import metadata
from luban.learners.graph.columns import feeds, tensor_name, tensor_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Column

ROWS = 16384
PREPARED_ROWS = 32
"""How many rows are computed at once, so that memory is bounded: of plain columns, and of prepared tensors."""


class Group(NamedTuple):
    """The columns of one type.

    Attributes
    ----------
    kind : type
        NumPy's, of the tensors.
    columns, tensors : tuple of str
        Names of the columns, and of the graph's inputs.
    """

    kind: Any
    columns: tuple[str, ...]
    tensors: tuple[str, ...]


class Feeding:
    """What one graph is fed; made once for all sessions of it.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        A session of the graph: its inputs and metadata say what it takes.
    columns : sequence of Column
        The input columns of the model.

    Attributes
    ----------
    prepared : tuple of Prepared
        The preparations that run before the graph.
    groups : tuple of Group
        The columns that are fed as they are.

    Raises
    ------
    Unsupported
        If the graph has an input that is neither a column nor made by a preparation.
    Tampered, NotFound, MissingExtra
        If a preparation cannot be loaded.
    """

    def __init__(self, session: Any, columns: Sequence[Column]) -> None:
        inputs = {one.name for one in session.get_inputs()}
        text = session.get_modelmeta().custom_metadata_map.get(metadata.KEY)
        self.prepared = metadata.read(text) if text else ()
        self._columns = tuple(column for column in columns if tensor_name(column.name) in inputs)
        known = {tensor_name(column.name) for column in self._columns}
        for one in self.prepared:
            known |= set(one.inputs.values())
        if unknown := sorted(inputs - known):
            raise Unsupported("the graph has an input that is no column of the model", seen=repr(unknown[0]))
        read = {name for one in self.prepared for name in one.preparation.columns}
        self._read = tuple(column for column in columns if column.name in read)
        self.groups = _by_type(self._columns)
        self._varies = any(None in tensor.shape for one in self.prepared for tensor in one.preparation.tensors.values())

    def table(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return what to feed for canonical rows: for each input of the graph an array of as many rows."""
        return feeds(table, self._columns) | self._tensors(table)

    def row(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return what to feed for one row, conformed by `luban.data.row`.

        All columns of one type become one array whose parts are handed out: making an array costs more than
        the value in it.
        """
        found: dict[str, np.ndarray] = {}
        for kind, names, tensors in self.groups:
            with np.errstate(over="ignore"):  # beyond float32 a number is an infinity, as it is for the encoders
                block = np.array([values[name] for name in names], dtype=kind).reshape(-1, 1, 1)
            found.update(zip(tensors, block, strict=True))
        return found | self._tensors(row_table(values, self._read)) if self.prepared else found

    def run(self, session: Any, outputs: Sequence[str], table: pa.Table) -> list[np.ndarray]:
        """Return the named outputs of a session for all rows, a bounded number of rows at a time.

        Where tensors differ in length rows of like length are computed together, so that little of it is padding.
        """
        wanted, rows = list(outputs), PREPARED_ROWS if self.prepared else ROWS
        if table.num_rows <= rows:
            return list(session.run(wanted, self.table(table)))
        order = np.argsort(self._lengths(table), kind="stable") if self._varies else None
        sorted_table = table if order is None else table.take(order)
        parts = [
            session.run(wanted, self.table(sorted_table.slice(start, rows))) for start in range(0, table.num_rows, rows)
        ]
        whole = [_joined(one) for one in zip(*parts, strict=True)]
        if order is None:
            return whole
        back = np.argsort(order, kind="stable")
        return [one[back] for one in whole]

    def _tensors(self, table: pa.Table) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for one in self.prepared:
            made = one.preparation(table)
            found.update({one.inputs[name]: made[name] for name in one.inputs})
        return found

    def _lengths(self, table: pa.Table) -> np.ndarray:
        """Return how long the values are that preparations read, as far as their text tells."""
        total = np.zeros(table.num_rows, dtype=np.int64)
        for column in self._read:
            values = table.column(column.name)
            if pa.types.is_string(values.type):
                total += np.asarray(pc.fill_null(pc.utf8_length(values), 0), dtype=np.int64)
        return total


def _by_type(columns: Sequence[Column]) -> tuple[Group, ...]:
    groups = []
    for kind in (np.float32, np.int64, np.object_):
        chosen = [column.name for column in columns if tensor_type(column) is kind]
        if chosen:
            groups.append(Group(kind, tuple(chosen), tuple(map(tensor_name, chosen))))
    return tuple(groups)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays of rows as one; where their rows differ in length the shorter ones are filled with NaN."""
    if len({one.shape[1:] for one in parts}) == 1:
        return np.concatenate(parts)
    sizes = np.max([one.shape[1:] for one in parts], axis=0)
    padded = [
        np.pad(
            one,
            [(0, 0), *((0, most - size) for most, size in zip(sizes, one.shape[1:], strict=True))],
            constant_values=np.nan,
        )
        for one in parts
    ]
    return np.concatenate(padded)


def row_table(values: Mapping[str, Any], columns: Sequence[Column]) -> pa.Table:
    """Return conformed values of one row as a canonical table."""
    return rows_table([values], columns)


def rows_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pa.Table:
    """Return conformed values of rows, each by column, as a canonical table."""
    arrays = []
    for column in columns:
        values = [row[column.name] for row in rows]
        if column.kind == "number":
            arrays.append(pa.array(values, type=pa.float64(), from_pandas=True))  # NaN becomes null
        elif column.kind == "date":
            arrays.append(pa.array([None if one == NO_DATE else one for one in values], type=pa.timestamp("us")))
        else:
            arrays.append(pa.array([one or None for one in values], type=pa.string()))
    return pa.table(arrays, names=[column.name for column in columns])
