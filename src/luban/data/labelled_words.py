"""The words behind a target that has a label for each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError
from luban.data.labels import some
from luban.data.lists import lengths
from luban.data.words import column_of_words, counts, read_words, uneven

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.schema import Schema


def words_behind(target: str, values: pa.Array, table: pa.Table, kind: str | None) -> tuple[str, str] | None:
    """Return the column whose words bear the labels, and how it is cut; None where there is none and none is needed."""
    labels = lengths(target, values)
    found = column_of_words(table, table.column_names, labels)
    if found is None:
        if kind == "tokens":
            raise InputError(
                f"no column has as many words as {target!r} has labels",
                seen=f"{int(labels[0])} labels in the first row; columns {', '.join(table.column_names[:8])}",
                remedy="Give the words as a list, or as a text with blanks between them: one label a word.",
            )
        return None
    name, form, fits = found
    if kind != "multilabel" and not fits.all():
        row = int((~fits).argmax())
        words = int(counts(table[name].slice(row, 1), form)[0])
        raise uneven(name, target, row, words, int(labels[row]), int((~fits).sum()))
    return name, form


def with_words(
    target: str, rows: np.ndarray, lists: list[list[Any]], notes: list[str]
) -> tuple[np.ndarray, list[list[Any]]]:
    """Leave rows without a word out."""
    filled = np.array([bool(one) for one in lists])
    if filled.all():
        return rows, lists
    notes.append(f"{int((~filled).sum()):,} rows without a word and a label of {target!r} are left out.")
    return rows[filled], [one for one in lists if one]


def only_words(table: pa.Table, schema: Schema, name: str, form: str, notes: list[str]) -> tuple[pa.Table, Schema]:
    """Return the table and the schema with the words as the only input."""
    others = [column.name for column in schema.inputs if column.name != name]
    if others:
        notes.append(f"Labels of words are learnt from {name!r} alone; not used: {some(others)}.")
    words = replace(schema.column(name), kind="text", role="input", storage=form)
    columns = tuple(words if column.name == name else column for column in schema.columns)
    place = table.column_names.index(name)
    table = table.set_column(place, name, read_words(words, table[name]))
    return table, replace(schema, columns=columns).with_role("ignored", *others)
