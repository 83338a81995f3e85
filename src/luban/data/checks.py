"""Whether a table can be learnt from: each thing that stands in the way has an error that says what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Schema

FEWEST_ROWS = 10
"""Fewer rows with a target than this cannot be split into something to learn from and something to judge by."""
MANY_COLUMNS = 1000


def check_names(names: Sequence[str], where: str = "the table") -> None:
    """Raise `InputError` if a column has no name or two have the same one."""
    if not names:
        raise InputError(f"{where} has no columns", remedy="Give a table with named columns.")
    unnamed = [place for place, name in enumerate(names, start=1) if not str(name).strip()]
    if unnamed:
        raise InputError(
            f"{where} has {_count(len(unnamed), 'column')} without a name",
            seen=f"column {unnamed[0]} of {len(names)}",
            remedy="Name every column in the header.",
        )
    double = [name for name, times in Counter(names).items() if times > 1]
    if double:
        places = [str(place) for place, name in enumerate(names, start=1) if name == double[0]]
        raise InputError(
            f"{where} has {_count(len(double), 'column name')} more than once",
            seen=f"{double[0]!r} as columns {', '.join(places)}",
            remedy="Rename or remove the columns that are double.",
        )


def ready_to_fit(table: pa.Table, schema: Schema, inputs: Sequence[str]) -> tuple[str, ...]:
    """Check the inputs of a fit and return notes on what is unusual but handled.

    Parameters
    ----------
    table : pyarrow.Table
        The rows that have a target.
    schema : Schema
    inputs : sequence of str
        The columns to learn from.

    Raises
    ------
    InputError
        Too few rows, no usable column, nested values, infinities.
    """
    check_names(table.column_names)
    if table.num_rows < FEWEST_ROWS:
        raise InputError(
            "there are too few rows to learn from",
            seen=f"{_count(table.num_rows, 'row')} with a target",
            remedy=f"Give at least {FEWEST_ROWS}, better some hundreds.",
        )
    if not inputs:
        raise InputError(
            "no column is left to learn from",
            seen=f"{_count(len(schema.columns), 'column')}, all ignored, constant, empty or the target",
            remedy="Give more columns, or ignore fewer.",
        )
    check_nested(table, inputs)
    for name in inputs:
        check_infinities(name, table[name])
    if len(inputs) >= MANY_COLUMNS:
        return (f"{len(inputs)} input columns are many for {table.num_rows} rows; the weak ones may be left out.",)
    return ()


def check_nested(table: pa.Table, names: Sequence[str]) -> None:
    """Raise `InputError` if a column holds lists, structures or maps."""
    for name in names:
        if pa.types.is_nested(table.schema.field(name).type):
            raise InputError(
                f"the column {name!r} holds nested values",
                seen=str(table.schema.field(name).type),
                remedy="Flatten it into plain columns, or leave it out: --ignore COLUMN (ignore=['COLUMN'] in Python).",
            )


def check_infinities(name: str, values: pa.ChunkedArray | pa.Array) -> None:
    """Raise `InputError` if a column of numbers holds an infinity, naming the first row."""
    if not pa.types.is_floating(values.type):
        return
    infinite = pc.fill_null(pc.is_inf(values.cast(pa.float64())), False)
    count = pc.sum(infinite).as_py() or 0
    if count:
        row = pc.index(infinite, True).as_py()
        raise InputError(
            f"the column {name!r} holds infinities",
            seen=f"{_count(count, 'value')}, the first in row {row + 1}: {values[row].as_py()}",
            remedy="Replace them, or make them missing: the cleaning step 'infinities' does that.",
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
