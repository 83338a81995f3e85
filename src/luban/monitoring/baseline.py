"""What a model learnt from, in a form small enough to compare every window with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.kinds import MEANINGS
from luban.monitoring import levels, numbers, texts, vectors
from luban.monitoring.expected import Expected  # noqa: TC001 - read at run time, from JSON
from luban.monitoring.levels import Levels  # noqa: TC001 - read at run time, from JSON
from luban.monitoring.numbers import Numbers  # noqa: TC001 - read at run time, from JSON
from luban.monitoring.vectors import Embedded, Vectors  # noqa: TC001 - read at run time, from JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Column


@dataclass(frozen=True, kw_only=True)
class ColumnBaseline:
    """One column: how many rows, how many of them missing, and the distribution of the others.

    Parameters
    ----------
    kind : str
        Of `luban.core.schema.Column`.
    vectors : Vectors, optional
        Of texts, without a model.
    embedded : Embedded, optional
        Of texts, pictures and sounds by a backbone; where there are such of a window they are compared, else `vectors`.
    """

    name: str
    kind: str
    rows: int
    missing: int
    numbers: Numbers | None = None
    levels: Levels | None = None
    vectors: Vectors | None = None
    embedded: Embedded | None = None


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What windows are compared with.

    Parameters
    ----------
    subject : str
        Where the rows are from, in words.
    inputs, outputs : tuple of ColumnBaseline
    expected : Expected, optional
        How good the model was on rows that it had not learnt from.
    """

    subject: str
    rows: int
    inputs: tuple[ColumnBaseline, ...]
    outputs: tuple[ColumnBaseline, ...] = ()
    expected: Expected | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def column_baseline(column: Column, values: pa.ChunkedArray) -> ColumnBaseline:
    """Return the compact form of one column of canonical values."""
    held = present(column, values)
    known = len(held)
    found: dict[str, Any] = {}
    if isinstance(held, np.ndarray):
        found["numbers"] = numbers.numbers(held)
    elif column.kind in ("category", "boolean"):
        found["levels"] = levels.levels(levels.counts_of(held))
    else:
        made = hashed(column, held, vectors.KEPT)
        found["vectors"] = None if made is None else vectors.vectors(made)
    return ColumnBaseline(name=column.name, kind=column.kind, rows=len(values), missing=len(values) - known, **found)


def column_baselines(columns: Sequence[Column], table: pa.Table) -> tuple[ColumnBaseline, ...]:
    """Return the compact form of each column."""
    return tuple(column_baseline(column, table[column.name]) for column in columns)


def present(column: Column, values: pa.ChunkedArray) -> np.ndarray | pa.Array:
    """Return the values that are not missing: numbers and dates as float64, all else as it is."""
    if column.kind == "date":
        values = values.cast(pa.timestamp("us")).cast(pa.int64()).drop_null()
        return values.to_numpy().astype(np.float64)
    if column.kind == "number":
        held = values.to_numpy().astype(np.float64, copy=False)
        known = ~np.isnan(held)
        return held if known.all() else held[known]
    held = values.drop_null()
    held = held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held
    return held.filter(pc.not_equal(held, "")) if pa.types.is_string(held.type) else held


def hashed(column: Column, values: pa.Array, most: int, seed: int = 0) -> np.ndarray | None:
    """Return vectors of at most so many of the texts, made without a model; None of what is no text."""
    if not (MEANINGS[column.kind].prose and pa.types.is_string(values.type)):
        return None
    return texts.embedded(values.take(pa.array(vectors.some(np.arange(len(values)), most, seed))).to_pylist())
