"""A number for each row that equal rows share: for finding duplicates and comparing tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.data.numbers import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_LONGEST = 4096
# Odd powers for the positions of a text's bytes: a polynomial hash modulo 2**64 (Dietzfelbinger 1996).
_POWERS = np.cumprod(np.full(_LONGEST, 0x5851F42D4C957F2D, dtype=np.uint64))


def row_hashes(table: pa.Table, names: Sequence[str] | None = None) -> np.ndarray:
    """Return a 64-bit hash of each row over these columns, shape (n,), uint64.

    Values are compared, not storage: 1 and 1.0 are equal, all missing values are. Among a million different
    rows the chance that any two share a hash is about 3e-8.
    """
    names = table.column_names if names is None else names
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for place, name in enumerate(names, start=1):
        salt = _mix(np.array([place], dtype=np.uint64))
        total += _mix(_column(flat(table[name])) ^ salt)
    return total


def _column(values: pa.Array) -> np.ndarray:
    kind = values.type
    missing = np.asarray(pc.is_null(values, nan_is_null=True))
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found = _mix(
            np.asarray(pc.cast(values, pa.timestamp("us"), safe=False).cast(pa.int64()).fill_null(0)).view(np.uint64)
        )
    elif pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        numbers = np.asarray(pc.cast(values, pa.float64(), safe=False).fill_null(0.0)) + 0.0  # -0.0 becomes 0.0
        found = _mix(np.ascontiguousarray(numbers).view(np.uint64))
        if pa.types.is_integer(values.type):  # beyond 2**53 the float64 of two integers may be the same
            whole = np.asarray(values.fill_null(0)).astype(np.int64)
            found = np.where(np.abs(whole) > 2**53, _mix(whole.view(np.uint64) ^ _MISSING), found)
    else:
        found = _texts(values)
    return np.where(missing, _MISSING, found)


def _texts(values: pa.Array) -> np.ndarray:
    if not pa.types.is_string(values.type):
        nested = pa.types.is_nested(values.type)
        values = pa.array([str(one) for one in values.to_pylist()]) if nested else values.cast(pa.string())
    coded = values.dictionary_encode()
    words = coded.dictionary.cast(pa.large_string())
    offsets = np.frombuffer(words.buffers()[1], dtype=np.int64)[words.offset : words.offset + len(words) + 1]
    content = (
        np.frombuffer(words.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
        if len(words)
        else np.zeros(0)
    )
    starts = (offsets - offsets[0])[:-1]
    lengths = np.diff(offsets)
    place = np.arange(len(content)) - np.repeat(starts, lengths)
    terms = (
        (content.astype(np.uint64) + np.uint64(1))
        * _POWERS[place % _LONGEST]
        * (place // _LONGEST + 1).astype(np.uint64)
    )
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    hashes = _mix((sums[starts + lengths] - sums[starts]) ^ (lengths.astype(np.uint64) << np.uint64(32)))
    table = np.append(hashes, _MISSING)
    found: np.ndarray = table[np.asarray(coded.indices.fill_null(len(hashes)))]
    return found


def _mix(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
