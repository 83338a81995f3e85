"""Rows that have nothing where a text, a picture or a sound should be: they are answered, and it is said how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from luban.core.kinds import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Column


def blank(table: pa.Table, columns: Sequence[Column]) -> dict[str, int]:
    """Return how many rows have nothing in a column of works of their own, by name, where there are any.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical, with these columns. A text of spaces alone is nothing.
    """
    found = {}
    for column in columns:
        if MEANINGS[column.kind].cell:
            continue
        values = table[column.name]
        empty = pc.equal(pc.utf8_trim_whitespace(values), "")
        count = values.null_count + int(pc.sum(empty).as_py() or 0)
        if count:
            found[column.name] = count
    return found


def told(found: Mapping[str, int], rows: int, columns: Sequence[Column]) -> str:
    """Return in words what `blank` found; empty where it found nothing.

    Examples
    --------
    >>> from luban.core.schema import Column
    >>> told({"review": 3}, 100, [Column(name="review", kind="text")])
    "3 of 100 rows have nothing in 'review': their answers rest on nothing that was said."
    """
    if not found:
        return ""
    (first, count), *others = found.items()
    words = f"{count:,} of {rows:,} rows have nothing in {first!r}"
    words += "".join(f", {more:,} in {name!r}" for name, more in others)
    rest = "nothing that was said" if len(columns) == 1 else "their other columns"
    return f"{words}: their answers rest on {rest}."
