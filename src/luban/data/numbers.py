"""Numbers that are written as text: missing-value words, decimal commas, thousands separators."""

from __future__ import annotations

import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.data.storage import plain_array

# What people write where a value is missing; compared in lower case, without surrounding spaces.
MISSING_WORDS = frozenset(
    {
        "",
        "na",
        "n/a",
        "nan",
        "null",
        "none",
        "nil",
        "missing",
        "unknown",
        "?",
        "-",
        "--",
        ".",
        "#n/a",
        "<na>",
        "无",
        "缺失",
    }
)
_MISSING = pa.array(sorted(MISSING_WORDS))
_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")  # 1,234,567.89
_COMMA = re.compile(
    r"[+-]?(\d{1,3}(\.\d{3})+|\d{1,3}([  ']\d{3})+|\d*),\d+|[+-]?\d{1,3}(\.\d{3})+|[+-]?\d+"
)  # 1.234.567,89


def parse_number(text: str, decimal: str = "") -> float | None:
    """Return the number that `text` writes, NaN where it says "missing", None where it is no number.

    Parameters
    ----------
    text : str
    decimal : {"", ".", ","}
        The decimal mark. Where it is not known (``""``), ``1,5`` is read as 1.5 and ``1,500`` as 1500.
    """
    plain = text.strip()
    if decimal != ",":
        try:
            number = float(plain)
        except ValueError:
            pass
        else:
            return None if "_" in plain else number
    if plain.lower() in MISSING_WORDS:
        return math.nan
    if decimal != "," and _POINT.fullmatch(plain):
        return float(plain.replace(",", ""))
    if decimal != "." and _COMMA.fullmatch(plain):
        return float(re.sub(r"[.  ']", "", plain).replace(",", "."))
    return None


def words_for_missing(values: pa.Array | pa.ChunkedArray) -> list[tuple[str, int]]:
    """Return the texts that mean "missing" among numbers written as text, each with its rows, the commonest first."""
    counts = pc.value_counts(flat(values).cast(pa.string()).drop_null())
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(counts.field("values")))
    found = counts.filter(pc.is_in(plain, value_set=_MISSING)).to_pylist()
    return sorted(((one["values"], one["counts"]) for one in found), key=lambda pair: -pair[1])


def to_numbers(values: pa.Array | pa.ChunkedArray, decimal: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return (numbers, bad) of an array of strings.

    Parameters
    ----------
    values : pyarrow array of string, length n
    decimal : {"", ".", ","}

    Returns
    -------
    numbers : numpy.ndarray, shape (n,), float64
        NaN where missing or bad.
    bad : numpy.ndarray, shape (n,), bool
        Where there is text that is neither a number nor a word for "missing".
    """
    plain = pc.utf8_trim_whitespace(flat(values).cast(pa.string()))
    plain = pc.if_else(pc.is_in(pc.utf8_lower(plain), value_set=_MISSING), pa.scalar(None, pa.string()), plain)
    if decimal != ",":
        try:
            numbers = plain.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
        else:
            return numbers.to_numpy(zero_copy_only=False).astype(np.float64), np.zeros(len(plain), dtype=bool)
    coded = plain.dictionary_encode()
    parsed = [parse_number(text, decimal) for text in coded.dictionary.to_pylist()]
    table = np.array([math.nan if one is None else one for one in [*parsed, math.nan]])
    wrong = np.array([one is None for one in parsed] + [False])
    codes = coded.indices.fill_null(len(parsed)).to_numpy(zero_copy_only=False)
    return table[codes], wrong[codes]


def decimal_mark(texts: list[str]) -> str | None:
    """Return the decimal mark under which all `texts` are numbers or missing: ``""``, ``","``, or None.

    The mark is ``","`` only where some text proves it: ``1,5`` or ``1.234,5``, and none disproves it.
    """
    if all(parse_number(text, ".") is not None for text in texts):
        return ""
    if all(parse_number(text, ",") is not None for text in texts):
        return ","
    return None


def flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the values as one array in its plain type: no dictionary, no large or view strings."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    return plain_array(values)
