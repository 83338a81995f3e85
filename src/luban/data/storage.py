"""Types as the whole house takes them: plain, whatever storage the table's maker chose for them."""

from __future__ import annotations

import pyarrow as pa


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type without the variants that only concern storage: dictionaries, large and view strings."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def plain_array(values: pa.Array) -> pa.Array:
    """Return the array in its plain type; few kernels take views, which polars makes of all text."""
    kind = plain_type(values.type)
    if pa.types.is_dictionary(values.type):  # its words first: a dictionary of views cannot be decoded
        return values.dictionary.cast(kind).take(values.indices)
    return values if values.type == kind else values.cast(kind)


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with its columns in plain types, and with the same metadata."""
    if all(plain_type(field.type) == field.type for field in batch.schema):
        return batch
    arrays = [plain_array(column) for column in batch.columns]
    fields = [field.with_type(array.type) for field, array in zip(batch.schema, arrays, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=batch.schema.metadata))


def plain_table(table: pa.Table) -> pa.Table:
    """Return the table with its columns in plain types."""
    if all(plain_type(field.type) == field.type for field in table.schema):
        return table
    columns = [
        pa.chunked_array([plain_array(chunk) for chunk in column.chunks], plain_type(column.type))
        for column in table.columns
    ]
    fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))
