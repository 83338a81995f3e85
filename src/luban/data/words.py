"""Texts as words, where each word bears a label: lists of words, white space, or the characters of Chinese.

In the canonical table such a text has one blank between its words, whatever it was given as. How it is cut is kept in
``Column.storage`` after the Arrow type: ``"string words"`` or ``"string characters"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.data.numbers import flat
from luban.data.storage import plain_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Column
    from luban.core.task import Task

WORDS, CHARACTERS = "string words", "string characters"
_FORMS = (WORDS, CHARACTERS)
# Han, Kana and the marks that stand between them: scripts that put no blank between words.
_WIDE = re.compile("([\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef])")
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view)


def is_listed(kind: pa.DataType) -> bool:
    """Return whether values of this type are lists of plain values."""
    return any(test(kind) for test in _LISTS) and not pa.types.is_nested(kind.value_type)


def of_words(column: Column) -> bool:
    """Return whether each word of the column's texts bears a label."""
    return column.storage in _FORMS


def spaced(value: Any, form: str) -> str | None:
    """Return a text, or a list of words, with one blank between its words; None where it is missing.

    A word of a list that is empty or holds white space is written with underscores, so that it stays one word.

    Examples
    --------
    >>> spaced("我在 Berlin", CHARACTERS)
    '我 在 Berlin'
    >>> spaced(["New York", "is", ""], WORDS)
    'New_York is _'
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return " ".join("_".join(str("" if one is None else one).split()) or "_" for one in value)
    return " ".join((_WIDE.sub(r" \1 ", value) if form == CHARACTERS else value).split())


def read_words(column: Column, values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return the canonical texts of a column whose words bear labels; empty ones are missing."""
    array = flat(values)
    kind = plain_type(array.type)
    if not (is_listed(kind) or pa.types.is_string(kind) or pa.types.is_null(kind)):
        raise InputError(
            f"the column {column.name!r} changed its type: words are expected",
            seen=str(kind),
            remedy="Give a list of words a row, or a text.",
        )
    return pa.array([spaced(one, column.storage) or None for one in array.to_pylist()], pa.string())


def counts(values: pa.ChunkedArray | pa.Array, form: str) -> np.ndarray:
    """Return how many words each value has, shape (n,), int64."""
    texts = [spaced(one, form) or "" for one in flat(values).to_pylist()]
    return np.array([len(one.split()) for one in texts], dtype=np.int64)


def column_of_words(table: pa.Table, names: Sequence[str], labels: np.ndarray) -> tuple[str, str, np.ndarray] | None:
    """Return the column whose words are as many as the labels, how it is cut, and in which rows they are as many.

    The one that fits most rows, where it fits nine of ten; None where there is none.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (n,): how many labels each row has.
    """
    best: tuple[str, str, np.ndarray] | None = None
    for name in names:
        kind = plain_type(table.schema.field(name).type)
        if not (is_listed(kind) or pa.types.is_string(kind)):
            continue
        for form in _FORMS:
            fits = counts(table[name], form) == labels
            if fits.mean() >= 0.9 and (best is None or fits.sum() > best[2].sum()):
                best = name, form, fits
    return best


def check_words(task: Task, texts: pa.ChunkedArray | pa.Array, labels: np.ndarray) -> None:
    """Raise `InputError`, naming the first row, where a row has more or fewer labels than words.

    Parameters
    ----------
    texts : pyarrow array
        Canonical, one blank between words.
    labels : numpy.ndarray
        Shape (n,): how many labels each row has.
    """
    found = counts(texts, WORDS)
    wrong = found != labels
    if wrong.any():
        row = int(wrong.argmax())
        raise uneven(task.inputs[0], task.target, row, int(found[row]), int(labels[row]), int(wrong.sum()))


def uneven(column: str, target: str, row: int, words: int, labels: int, rows: int) -> InputError:
    """Return the error for a row that has more or fewer labels than words."""
    return InputError(
        f"a text of {column!r} has another number of words than {target!r} has labels",
        seen=f"{words} words and {labels} labels in row {row + 1} ({rows:,} such rows)",
        remedy="Give one label a word: give the words as a list, or leave such rows out.",
    )
