"""A number for the values of a row, the same wherever and however the row comes."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.data.conform import conform
from luban.data.dates import NO_DATE
from luban.data.row import row_reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Column

BYTES = 8


def row_key(row: Mapping[str, Any], columns: Sequence[Column]) -> bytes:
    """Return the key of a row by the values that these columns have once they are conformed.

    How a value is written makes no difference (3, 3.0 and "3" are one number), nor do the order of the columns,
    columns that are not asked for, or whether a missing value was sent as null or not at all.

    Raises
    ------
    InputError
        Naming the column, where a value cannot be read.
    """
    return _key(list(row_reader(columns, missing="fill")(row).values()))


def row_keys(rows: pa.Table | Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> list[bytes]:
    """Return the keys of many rows, each as `row_key` gives it."""
    if not isinstance(rows, pa.Table):
        read = row_reader(columns, missing="fill")
        return [_key(list(read(row).values())) for row in rows]
    table = conform(rows, columns, missing="fill").table
    values = [_plain(table[column.name], column.kind) for column in columns]
    return [_key(list(row)) for row in zip(*values, strict=True)]


def _plain(values: pa.ChunkedArray, kind: str) -> list[Any]:
    if kind == "date":
        values = values.cast(pa.int64())
    missing: float | str = NO_DATE if kind == "date" else float("nan") if kind == "number" else ""
    return [missing if value is None else value for value in values.to_pylist()]


def _key(values: list[Any]) -> bytes:
    # repr writes every float as the shortest text that reads back as it, and quotes text: no two rows look alike.
    return blake2b(repr([0.0 if value == 0 else value for value in values]).encode(), digest_size=BYTES).digest()
