"""The columns of a canonical table as arrays; each is read once, however many encoders use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.modalities.tabular.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.modalities.tabular.tokens import Tokens
    from luban.modalities.tabular.vocabulary import Vocabulary

LARGEST = np.finfo(np.float32).max
MISSING_DATE = np.iinfo(np.int64).min
_FEW_ROWS = 256


class Columns:
    """Arrays of a canonical table.

    Parameters
    ----------
    table : pyarrow.Table
    vocabularies : mapping of str to Vocabulary
        One for each category column.
    """

    def __init__(self, table: pa.Table, vocabularies: Mapping[str, Vocabulary]) -> None:
        self.table = table
        self.rows = table.num_rows
        self.vocabularies = vocabularies
        self._places = {name: place for place, name in enumerate(table.column_names)}
        self._codes: dict[str, np.ndarray] = {}
        self._tokens: dict[tuple[str, str], Tokens] = {}
        self._numbers: dict[tuple[str, ...], np.ndarray] = {}

    def take(self, rows: np.ndarray, names: Sequence[str]) -> Columns:
        """Return some rows of some columns, with the codes that are known already."""
        part = Columns(self.table.select(names).take(pa.array(rows)), self.vocabularies)
        part._codes = {name: codes[rows] for name, codes in self._codes.items()}
        return part

    def values(self, name: str) -> pa.ChunkedArray:
        """Return a column as it is in the table."""
        place = self._places.get(name)
        if place is None:
            raise InputError("a column is missing", seen=f"no column {name!r}", remedy="Add it to the data.")
        return self.table.column(place)

    def numbers(self, names: Sequence[str]) -> np.ndarray:
        """Return number and boolean columns as a float32 matrix, shape (rows, names); NaN where missing.

        A new array each time: the caller may overwrite it.
        """
        key = tuple(names)
        if key not in self._numbers:
            matrix = np.empty((self.rows, len(names)), dtype=np.float32)
            with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is clipped below
                for place, name in enumerate(names):
                    matrix[:, place] = _floats(self.values(name))
            np.clip(matrix, -LARGEST, LARGEST, out=matrix)
            self._numbers[key] = matrix
        return self._numbers[key].copy()

    def remember_codes(self, name: str, codes: np.ndarray) -> None:
        """Keep codes that are known already."""
        self._codes[name] = codes

    def codes(self, name: str) -> np.ndarray:
        """Return the codes of a category column, shape (rows,), int64."""
        if name not in self._codes:
            self._codes[name] = self.vocabularies[name].encode(self.values(name))
        return self._codes[name]

    def tokens(self, name: str, unit: str) -> Tokens:
        """Return the tokens of a text column."""
        if (name, unit) not in self._tokens:
            self._tokens[name, unit] = tokenise(self.values(name), unit)
        return self._tokens[name, unit]

    def microseconds(self, names: Sequence[str]) -> np.ndarray:
        """Return date columns, shape (rows, names), int64 since 1970; the smallest int64 where missing."""
        matrix = np.empty((self.rows, len(names)), dtype=np.int64)
        for place, name in enumerate(names):
            values = self.values(name)
            if not pa.types.is_timestamp(values.type):
                raise InputError("a date column must hold timestamps", seen=f"{name}: {values.type}")
            whole = values.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(MISSING_DATE)
            matrix[:, place] = whole.to_numpy()
        return matrix


def _floats(values: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _booleans(values)
    if not pa.types.is_floating(values.type):
        raise InputError("a number column must hold floating numbers", seen=str(values.type))
    floats: np.ndarray = values.to_numpy()
    return floats


def _booleans(values: pa.ChunkedArray) -> np.ndarray:
    meaning = {"true": 1.0, "false": 0.0}
    if len(values) <= _FEW_ROWS:
        return np.array([meaning.get(value, np.nan) for value in values.to_pylist()], dtype=np.float32)
    encoded = values.dictionary_encode().unify_dictionaries()
    known = np.array([*(meaning.get(level, np.nan) for level in encoded.chunk(0).dictionary.to_pylist()), np.nan])
    indices = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    floats: np.ndarray = known[np.concatenate(indices)]
    return floats
