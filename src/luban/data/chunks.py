"""Chunks: rows of any source as files of so many rows each, so that equal rows are the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from luban.core.errors import InputError
from luban.data.media import marks
from luban.data.storage import plain_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from luban.store import Workspace

_CELLS = 2_000_000
_MOST_ROWS, _FEWEST_ROWS = 65_536, 1_024


def regular(incoming: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of a fixed number of rows, so that the same rows make the same chunks."""
    held: list[pa.RecordBatch] = []
    count = 0
    schema: pa.Schema | None = None
    size = _MOST_ROWS
    for batch in incoming:
        if schema is None:
            schema = batch.schema
            size = max(_FEWEST_ROWS, min(_MOST_ROWS, _CELLS // max(1, len(schema))))
        held.append(batch)
        count += batch.num_rows
        while count >= size:
            whole = pa.Table.from_batches(held)
            yield whole.slice(0, size)
            held = whole.slice(size).to_batches()
            count -= size
    if schema is not None:
        yield pa.Table.from_batches(held, schema=schema)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema without what concerns storage only, so that equal rows from any source are equal bytes."""
    return pa.schema(
        [pa.field(field.name, _plain_kind(field.type), metadata=field.metadata) for field in schema],
        metadata=schema.metadata,
    )


def _plain_kind(kind: pa.DataType) -> pa.DataType:
    kind = plain_type(kind)
    return pa.float64() if pa.types.is_decimal(kind) else kind


def plain_table(chunk: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a chunk with the types of `plain_schema`, and one way to be missing."""
    columns = []
    for field in schema:
        values = chunk[field.name]
        if values.type != field.type:
            values = values.cast(field.type)
        if pa.types.is_floating(field.type):
            absent = pc.is_nan(values)
            if pc.any(absent).as_py():
                values = pc.if_else(absent, pa.scalar(None, field.type), values)
        columns.append(values.combine_chunks())
    return pa.Table.from_arrays(columns, schema=schema)


def as_parquet(chunk: pa.Table) -> bytes:
    """Return a chunk as a file: equal rows are equal bytes.

    Raises
    ------
    InputError
        If a column is of a type that Parquet has none for.
    """
    fields = [marks.marked(pa.field(one.name, one.type), marks.kind(one)) for one in chunk.schema]
    chunk = pa.Table.from_arrays(chunk.columns, schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            chunk, sink, compression="zstd", compression_level=3, row_group_size=chunk.num_rows, write_statistics=False
        )
    except pa.ArrowNotImplementedError as error:
        raise InputError(
            "a column cannot be kept", seen=str(error)[:300], remedy="Leave it out, or give it plain values."
        ) from error
    return bytes(sink.getvalue().to_pybytes())


def chunk_of(workspace: Workspace, digest: str, columns: Sequence[str] | None) -> pa.Table:
    """Return a chunk that is kept, of these columns only where they are given; verified against its digest."""
    with pq.ParquetFile(workspace.blobs.local(digest)) as file:
        found = file.read(columns=list(columns) if columns is not None else None)
    if columns is not None:
        found = found.select(list(columns))
    return found.combine_chunks()
