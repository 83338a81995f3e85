"""What the columns of a table are: their kinds, and which are no use to learn from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.schema import Column, Kind, Role, Schema
from luban.data.dates import detect_form, to_dates
from luban.data.media import marks
from luban.data.media.recognise import kind_of_references
from luban.data.numbers import decimal_mark, flat, to_numbers
from luban.data.storage import plain_type

SAMPLE = 200_000
"""Rows that kinds are inferred from; a longer table is sampled evenly."""

_BOOLEAN_WORDS = frozenset({"true", "false"})
_IDENTIFIER = re.compile(r"(^|[_\s.-])(id|Id|idx|index|uuid|guid|rowid|rownum|row|key|nr|no)$|[a-z]I[dD]$|^ID")
_CLOCK = re.compile(r"year|time|month|week|day|date|step|cycle|hour|age", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A schema, and in words what was decided that a person may want to know."""

    schema: Schema
    notes: tuple[str, ...] = ()


def infer_schema(
    table: pa.Table, *, time: str | None = None, group: str | None = None, key: str | None = None
) -> Schema:
    """Return the schema of a table; see `infer`."""
    return infer(table, time=time, group=group, key=key).schema


def infer(
    table: pa.Table,
    *,
    time: str | None = None,
    group: str | None = None,
    key: str | None = None,
    rows: int | None = None,
) -> Inference:
    """Infer the kind of each column, and set aside those that name a row rather than describe it.

    Numbers and dates that are written as text are recognised where every value is one (or a word for
    "missing"). The form of such dates and the decimal mark of such numbers are kept in ``Column.storage``
    after the Arrow type: ``"string %d/%m/%Y"``, ``"string ,"``. An identifier (a column of unique single
    words, or of integers that count the rows) gets the role ``ignored``.

    Parameters
    ----------
    table : pyarrow.Table
        Its marks (`luban.data.media.marks`) name columns of pictures and sounds, and the target where the source
        knows it.
    time, group, key : str, optional
        Columns with a special part; they get that role.
    rows : int, optional
        Rows of the whole table, where `table` is a sample of it.
    """
    rows = rows or table.num_rows
    sample = table if table.num_rows <= SAMPLE else table.take(np.linspace(0, table.num_rows - 1, SAMPLE).astype(int))
    columns, notes = [], []
    for field in table.schema:
        column, note = _column(field, sample[field.name], table[field.name], rows)
        columns.append(column)
        notes += [one for one in (note, marks.note(field)) if one]
    if sample is not table:
        notes.append(f"Kinds of columns were inferred from {SAMPLE:,} of {rows:,} rows.")
    schema = Schema(columns=tuple(columns), time=time, group=group, key=key)
    target = marks.target(table.schema)
    roles: tuple[tuple[str | None, Role], ...] = ((target, "target"), (time, "time"), (group, "group"), (key, "key"))
    for special, role in roles:
        if special is not None:
            schema = schema.with_role(role, special)
    if time is not None and schema.column(time).kind not in {"date", "number"}:
        notes.append(f"The time column {time!r} holds neither dates nor numbers; its text is sorted as it is.")
    return Inference(schema=schema, notes=tuple(notes))


def _column(field: pa.Field, sample: pa.ChunkedArray, whole: pa.ChunkedArray, rows: int) -> tuple[Column, str]:
    name = field.name
    storage = plain_type(whole.type)
    column = Column(name=name, kind="category", nullable=whole.null_count > 0, storage=str(storage))
    if whole.null_count == len(whole):
        return replace(column, role="ignored"), f"The column {name!r} is empty and is not used."
    media = marks.kind(field) or kind_of_references(sample)
    if media is not None:
        return replace(column, kind=media), ""
    if pa.types.is_string(storage):
        if pa.types.is_dictionary(whole.type):
            return column, ""
        return _text_column(column, flat(sample).cast(pa.string()), rows)
    column = replace(column, kind=kind_of_type(storage))
    if column.kind == "number" and pa.types.is_floating(storage) and not column.nullable:
        column = replace(column, nullable=bool(pc.any(pc.is_nan(whole)).as_py()))
    if pa.types.is_integer(storage) and _counts_rows(name, flat(sample), rows):
        return replace(column, role="ignored"), f"The column {name!r} counts the rows and is not used."
    if pa.types.is_integer(storage) and _names_rows(name, flat(sample)):
        return column, f"The column {name!r} seems to name the rows; it is used as a number unless it is ignored."
    return column, ""


def kind_of_type(kind: pa.DataType) -> Kind:
    """Return the kind that a type alone tells."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "date"
    if pa.types.is_duration(kind):
        return "number"
    if pa.types.is_nested(kind):
        return "nested"
    return "category"


def _text_column(column: Column, values: pa.Array, rows: int) -> tuple[Column, str]:
    present = values.drop_null()
    uniques = present.unique()
    distinct = len(uniques)
    few = _spread(uniques, 500).to_pylist()
    if distinct <= 6 and {one.strip().lower() for one in few if one.strip()} == _BOOLEAN_WORDS:
        return replace(column, kind="boolean"), ""
    mark = decimal_mark(few)
    # A leading zero marks a code that is no quantity.
    codes = any(len(one) > 1 and one[0] == "0" and one.isdigit() for one in few)
    if mark is not None and not codes and any(character.isdigit() for one in few for character in one):
        _, bad = to_numbers(uniques, mark)
        if not bad.any():
            note = f"The column {column.name!r} holds numbers written as text" + (
                " with decimal commas." if mark else "."
            )
            storage = f"{column.storage} {mark}".rstrip()
            return replace(column, kind="number", storage=storage, nullable=True), note
    form = detect_form(few)
    if form is not None:
        _, bad = to_dates(uniques, form)
        if bad.any() and "%d/%m" in form:
            form = form.replace("%d/%m", "%m/%d")
            _, bad = to_dates(uniques, form)
        if not bad.any():
            note = f"The column {column.name!r} holds dates" + (f" of the form {form}." if form else ".")
            return replace(column, kind="date", storage=f"{column.storage} {form}".rstrip()), note
    return _words_column(column, present, uniques, rows)


def _words_column(column: Column, present: pa.Array, uniques: pa.Array, rows: int) -> tuple[Column, str]:
    """Tell text from categories, and identifiers from both, by length, words and repetition."""
    distinct, share = len(uniques), len(uniques) / len(present)
    some = _spread(uniques, 2000)
    length = pc.mean(pc.utf8_length(some)).as_py()
    words = 1 + pc.mean(pc.count_substring_regex(pc.utf8_trim_whitespace(some), r"\s+")).as_py()
    wide = (
        pc.mean(pc.cast(pc.match_substring_regex(some, r"[\p{Han}\p{Hiragana}\p{Katakana}]"), pa.float64())).as_py()
        > 0.5
    )
    long = words >= 3 or length >= 40 or (wide and length >= 6)
    if distinct > 20 and long and (share > 0.3 or words >= 8 or (wide and length >= 20)):
        return replace(column, kind="text"), ""
    if rows >= 20 and share == 1.0 and len(present) >= 20 and words < 1.5:
        note = f"The column {column.name!r} has a different value in every row and is not used."
        return replace(column, role="ignored"), note
    return column, ""


def _spread(values: pa.Array, count: int) -> pa.Array:
    """Return at most `count` values, evenly spaced, as files are often sorted."""
    if len(values) <= count:
        return values
    return values.take(pa.array(np.linspace(0, len(values) - 1, count).astype(np.int64)))


def _counts_rows(name: str, values: pa.Array, rows: int) -> bool:
    if values.null_count or len(values) < 20 or _CLOCK.search(name):
        return False
    numbers = values.to_numpy(zero_copy_only=False)
    steps = np.diff(numbers)
    rising = bool((steps > 0).all())
    first, last = int(numbers.min()), int(numbers.max())
    return rising and first in {0, 1} and 0.95 * rows <= last - first + 1 <= rows


def _names_rows(name: str, values: pa.Array) -> bool:
    if values.null_count or _IDENTIFIER.search(name) is None:
        return False
    numbers = values.to_numpy(zero_copy_only=False)
    return len(np.unique(numbers)) > 0.95 * len(numbers)
