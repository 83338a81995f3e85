"""One schema for pieces of a table whose types were found separately."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# Objects of many shapes, or objects among other values: as text they would pass for words.
SHAPES = pa.struct([("value", pa.string())])


def agreed(one: pa.Schema | None, other: pa.Schema) -> pa.Schema:
    """Return the schema that both fit into: all columns, each in the narrowest type that holds both."""
    if one is None:
        return other.remove_metadata()
    fields = {field.name: field.type for field in one}
    for field in other:
        fields[field.name] = _wider(fields[field.name], field.type) if field.name in fields else field.type
    return pa.schema(list(fields.items()))


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = [pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (one, other)]
    if all(numbers):
        integers = pa.types.is_integer(one) and pa.types.is_integer(other)
        return pa.int64() if integers and pa.uint64() not in (one, other) else pa.float64()
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_wider(one.value_type, other.value_type))
    if pa.types.is_temporal(one) and pa.types.is_temporal(other) and not pa.types.is_time(one):
        return pa.timestamp("us")
    return SHAPES if pa.types.is_struct(one) or pa.types.is_struct(other) else pa.string()


def fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table in this schema; columns that it lacks are missing in every row."""
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
        else:
            columns.append(_cast(table[field.name], field.type))
    return pa.table(columns, schema=schema)


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if values.type == kind:
        return values
    if kind == SHAPES:
        found = [None if one is None else {"value": str(one)} for one in values.to_pylist()]
        return pa.chunked_array([pa.array(found, kind)])
    if pa.types.is_string(kind) and pa.types.is_floating(values.type):
        # Whole numbers bare, as everywhere else: 3 and not 3.0.
        whole = pc.if_else(pc.equal(pc.floor(values), values), pc.cast(values, pa.int64(), safe=False), None)
        return pc.coalesce(pc.cast(whole, kind), pc.cast(values, kind))
    if pa.types.is_nested(values.type) and not pa.types.is_nested(kind):
        return pa.chunked_array([pa.array([None if one is None else str(one) for one in values.to_pylist()], kind)])
    return values.cast(kind)
