"""Parts of a column, for slices: quarters of numbers and dates, the common values of categories."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.evaluation.words import number

if TYPE_CHECKING:
    from luban.core.schema import Column

_PARTS = 4
_VALUES = 12


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A column cut into parts.

    Parameters
    ----------
    codes : numpy.ndarray
        Part of each row, int64, shape (n,).
    labels : tuple of str
        The parts in words, such as ``"age ≤ 25"``.
    """

    codes: np.ndarray
    labels: tuple[str, ...]


def cut(column: Column, values: pa.ChunkedArray) -> Parts | None:
    """Return the parts of a column, None where it has no more than one or its kind has none."""
    if column.kind in ("number", "date"):
        return _ordered(column, values)
    if column.kind in ("category", "boolean"):
        return _named(column, values)
    return None


def _ordered(column: Column, values: pa.ChunkedArray) -> Parts | None:
    if column.kind == "date":
        moments = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        numbers = pc.cast(moments, pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    else:
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    known = np.isfinite(numbers)
    distinct = np.unique(numbers[known])
    if len(distinct) == 0:
        return None

    def written(value: float) -> str:
        return str(np.datetime64(int(value), "us").astype("datetime64[D]")) if column.kind == "date" else number(value)

    if len(distinct) <= _PARTS + 1:
        codes = np.searchsorted(distinct, numbers)
        labels = [f"{column.name} = {written(value)}" for value in distinct]
    else:
        inner = np.quantile(numbers[known], np.arange(1, _PARTS) / _PARTS, method="lower")
        edges = np.unique(inner[inner < distinct[-1]])
        codes = np.searchsorted(edges, numbers, side="left")
        named = [written(edge) for edge in edges]
        labels = [
            f"{column.name} ≤ {named[0]}",
            *(f"{low} < {column.name} ≤ {high}" for low, high in pairwise(named)),
            f"{column.name} > {named[-1]}",
        ]
    return _with_missing(column, codes, known, labels)


def _named(column: Column, values: pa.ChunkedArray) -> Parts | None:
    encoded = pc.dictionary_encode(values.cast(pa.string())).combine_chunks()
    names = encoded.dictionary.to_pylist()
    codes = pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False).astype(np.int64)
    known = codes < len(names)
    if "" in names:
        known &= codes != names.index("")
    counts = np.bincount(codes[known], minlength=len(names))
    common = np.argsort(-counts, kind="stable")[:_VALUES]
    common = common[counts[common] > 0]
    place = np.full(len(names) + 1, len(common))
    place[common] = np.arange(len(common))
    labels = [f"{column.name} = {names[code]}" for code in common]
    if (counts > 0).sum() > len(common):
        labels.append(f"{column.name} = any other")
    return _with_missing(column, place[codes], known, labels)


def _with_missing(column: Column, codes: np.ndarray, known: np.ndarray, labels: list[str]) -> Parts | None:
    if not known.all():
        codes = np.where(known, codes, len(labels))
        labels = [*labels, f"{column.name} is missing"]
    if len(labels) < 2:
        return None
    return Parts(codes=codes.astype(np.int64), labels=tuple(labels))
