"""Whatever table comes, as the columns that a model was promised: the canonical table."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError, LubanError
from luban.core.paths import paths_allowed
from luban.data.booleans import FALSE_WORDS, TRUE_WORDS
from luban.data.checks import check_names, check_nested
from luban.data.dates import to_dates
from luban.data.infer import kind_of_type
from luban.data.media import marks
from luban.data.media.endings import KINDS
from luban.data.media.value import reference
from luban.data.media.verify import verified
from luban.data.numbers import MISSING_WORDS, flat, to_numbers
from luban.data.row import MISSING_COLUMN, check_missing, conform_row, row_reader
from luban.data.sources.frame import FrameSource, to_table
from luban.data.sources.values import text as written
from luban.data.storage import plain_type
from luban.data.words import of_words, read_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Column

__all__ = ["Conformed", "conform", "conform_row", "row_reader"]


@dataclass(frozen=True, kw_only=True)
class Conformed:
    """A canonical table, and in words what was left out or filled in.

    Parameters
    ----------
    table : pyarrow.Table
        The columns asked for, in order: number as float64, boolean, category and text as string (booleans
        ``true`` / ``false``), date as timestamp("us") without zone (UTC), image and audio as references to files
        that can be read. Missing values are null. No infinities.
    notes : tuple of str
    """

    table: pa.Table
    notes: tuple[str, ...] = ()


def conform(
    data: Any,
    columns: Sequence[Column],
    *,
    missing: Literal["error", "fill"] = "error",
    infinities: Literal["error", "missing"] = "error",
    paths: bool | None = None,
) -> Conformed:
    """Return the canonical table of `columns` from anything tabular.

    Columns are matched by name, so their order does not matter, and others are left out with a note. Numbers
    written as text are read, also with decimal commas; whole numbers stand for categories (3, 3.0 and "3" are
    one level); a category that was never seen passes and is the encoder's affair.

    Parameters
    ----------
    data : pyarrow.Table, data frame, dict (one row, or columns), list of dicts
    columns : sequence of Column
        As in a model's signature.
    missing : {"error", "fill"}
        A column that is not there raises, or is missing in every row.
    infinities : {"error", "missing"}
        An infinity raises, or becomes missing with a note.
    paths : bool, optional
        Whether pictures and sounds may be given as paths of this machine; by default what
        `luban.core.paths` says. Where not, only their content is taken.

    Raises
    ------
    InputError
        Naming the column, and the row and value where there is one: a missing column, text that is no number,
        a word that is no boolean, an unreadable date, nested values, infinities; more than half of the pictures or
        sounds that cannot be read (fewer become missing, with a note).
    Refused
        If a path is given where only content is taken.
    """
    check_missing(missing)
    if not isinstance(data, pa.Table):
        if not FrameSource().matches(data):
            raise InputError(
                "this is no table in memory",
                seen=type(data).__name__,
                remedy="Give a data frame, a dict or a list of dicts.",
            )
        data = to_table(data, {one.name for one in columns if one.kind == "number"})
    check_names(data.column_names)
    notes: list[str] = []
    known = set(data.column_names)
    absent = [column.name for column in columns if column.name not in known]
    if absent:
        if missing == "error":
            raise _missing_column(absent, data.column_names)
        notes.append(f"Missing columns are taken as missing in every row: {', '.join(absent)}.")
    names = {column.name for column in columns}
    extra = [name for name in data.column_names if name not in names]
    if extra:
        shown = ", ".join(extra[:8]) + (f" and {len(extra) - 8} more" if len(extra) > 8 else "")
        notes.append(f"Columns that are not asked for are left out: {shown}.")
    plain = [one.name for one in columns if one.name in known and one.kind not in KINDS and not of_words(one)]
    check_nested(data, plain)
    arrays, fields = [], []
    take_paths = paths_allowed() if paths is None else paths
    for column in columns:
        fields.append(pa.field(column.name, _TYPES[column.kind]))
        if column.name in known and column.kind in KINDS:
            field, references = _media(column, data.schema.field(column.name), data[column.name], take_paths)
            fields[-1] = field
            arrays.append(references)
            continue
        if column.name not in known:
            arrays.append(pa.nulls(data.num_rows, _TYPES[column.kind]))
            continue
        array = _READERS[column.kind](column, data[column.name])
        if column.kind == "number":
            array = _finite(column, array, infinities, notes)
        arrays.append(array)
    whole = verified(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))
    return Conformed(table=whole.table, notes=(*notes, *whole.notes))


def _media(
    column: Column, field: pa.Field, values: pa.ChunkedArray, paths: bool
) -> tuple[pa.Field, pa.Array | pa.ChunkedArray]:
    """Return references; a column that a source of ours marked holds them already."""
    if marks.kind(field) is not None:
        return field, values
    try:
        found = [reference(one, column.kind, paths=paths) for one in values.to_pylist()]
    except LubanError as error:
        raise type(error)(
            f"the column {column.name!r}: {error.happened}", seen=error.seen, remedy=error.remedy
        ) from error
    return marks.marked(pa.field(column.name, pa.string()), column.kind), pa.array(found, pa.string())


def _missing_column(absent: list[str], present: list[str]) -> InputError:
    near = get_close_matches(absent[0], present, n=3, cutoff=0.6)
    others = f" ({len(absent)} are missing: {', '.join(absent[:8])})" if len(absent) > 1 else ""
    return InputError(
        f"the column {absent[0]!r} is missing{others}",
        seen=f"nearest names: {', '.join(near)}" if near else f"columns {', '.join(present[:8])}",
        remedy=MISSING_COLUMN,
    )


def _wrong(column: Column, row: int, value: Any, wanted: str) -> InputError:
    return InputError(
        f"the column {column.name!r} holds a value that is {wanted}",
        seen=f"{value!r} in row {row + 1}",
        remedy="Correct the value, or leave it empty where it is not known.",
    )


def _wrong_type(column: Column, kind: pa.DataType) -> InputError:
    return InputError(
        f"the column {column.name!r} changed its type: {column.kind} is expected",
        seen=str(kind),
        remedy=f"Give values of kind {column.kind}.",
    )


def _number(column: Column, values: pa.ChunkedArray) -> pa.Array:
    array = flat(values)
    kind = plain_type(array.type)
    if pa.types.is_string(kind):
        decimal = column.storage.partition(" ")[2]
        numbers, bad = to_numbers(array, decimal if decimal in {",", "."} else "")
        if bad.any():
            row = int(bad.argmax())
            raise _wrong(column, row, array[row].as_py(), "no number")
        return pa.array(numbers, from_pandas=True)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.float64())
    if pa.types.is_duration(kind):
        return pc.divide(array.cast(pa.duration("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    if pa.types.is_boolean(kind):
        return array.cast(pa.int8()).cast(pa.float64())
    if kind_of_type(kind) != "number":
        raise _wrong_type(column, kind)
    array = pc.cast(array, pa.float64(), safe=False)
    return (
        pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
        if pc.any(pc.is_nan(array)).as_py()
        else array
    )


def _finite(column: Column, array: pa.Array, infinities: str, notes: list[str]) -> pa.Array:
    infinite = pc.is_inf(array)
    count = pc.sum(infinite).as_py() or 0
    if not count:
        return array
    row = pc.index(infinite, True).as_py()
    if infinities == "error":
        raise InputError(
            f"the column {column.name!r} holds infinities",
            seen=f"{array[row].as_py()} in row {row + 1}, {count:,} in all",
            remedy="Replace them, or leave them empty; the cleaning step 'infinities' does that for a data set.",
        )
    notes.append(f"{count:,} infinities of the column {column.name!r} are taken as missing.")
    return pc.if_else(infinite, pa.scalar(None, pa.float64()), array)


def _boolean(column: Column, values: pa.ChunkedArray) -> pa.Array:
    array = flat(values)
    kind = plain_type(array.type)
    if pa.types.is_boolean(kind):
        return array.cast(pa.string())
    words = pc.utf8_lower(pc.utf8_trim_whitespace(_words(array)))
    words = pc.if_else(pc.is_in(words, value_set=_MISSING), pa.scalar(None, pa.string()), words)
    true = pc.is_in(words, value_set=_TRUE)
    false = pc.is_in(words, value_set=_FALSE)
    bad = np.asarray(pc.and_(pc.is_valid(words), pc.invert(pc.or_(true, false))))
    if bad.any():
        row = int(bad.argmax())
        raise _wrong(column, row, array[row].as_py(), "neither true nor false")
    return pc.if_else(pc.is_null(words), pa.scalar(None, pa.string()), pc.if_else(true, "true", "false"))


def _words(array: pa.Array) -> pa.Array:
    """Return values as text, as `luban.data.sources.values.text` does for one."""
    kind = plain_type(array.type)
    if pa.types.is_floating(kind):
        array = pc.cast(array, pa.float64())
        bare = pc.and_(pc.equal(pc.floor(array), array), pc.less(pc.abs(array), 1e15))
        whole = pc.cast(pc.if_else(bare, array, pa.scalar(None, pa.float64())), pa.int64(), safe=False)
        text = pc.cast(whole, pa.string())
        if pc.all(bare).as_py():
            return text
        return pc.coalesce(text, pa.array([written(one) for one in array.to_pylist()], pa.string()))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pa.array([None if one is None else one.isoformat() for one in array.to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array(
            [None if one is None else one.decode("utf-8", "replace") for one in array.to_pylist()], pa.string()
        )
    return array.cast(pa.string())


def _category(column: Column, values: pa.ChunkedArray) -> pa.Array:  # noqa: ARG001 - one signature for all kinds
    array = _words(flat(values))
    empty = pc.equal(array, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array


def _text(column: Column, values: pa.ChunkedArray) -> pa.Array:
    return read_words(column, values) if of_words(column) else _category(column, values)


def _date(column: Column, values: pa.ChunkedArray) -> pa.Array:
    array = flat(values)
    kind = plain_type(array.type)
    if pa.types.is_string(kind):
        dates, bad = to_dates(array, column.storage.partition(" ")[2])
        if bad.any():
            row = int(bad.argmax())
            raise _wrong(column, row, array[row].as_py(), "no date that can be read")
        return dates
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.timestamp("us"))
    if kind_of_type(kind) != "date":
        raise _wrong_type(column, kind)
    if pa.types.is_timestamp(kind) and kind.tz is not None:  # the stored number is UTC already
        array = array.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit))
    return pc.cast(array, pa.timestamp("us"), safe=False)


def _unreadable(column: Column, values: pa.ChunkedArray) -> pa.Array:
    raise InputError(
        f"the column {column.name!r} is of kind {column.kind}, which no model can take",
        seen=str(values.type),
        remedy="Leave it out.",
    )


_MISSING = pa.array(sorted(MISSING_WORDS))
_TRUE = pa.array(sorted(TRUE_WORDS))
_FALSE = pa.array(sorted(FALSE_WORDS))
_READERS = {
    "number": _number,
    "boolean": _boolean,
    "category": _category,
    "text": _text,
    "date": _date,
    "nested": _unreadable,
}
_TYPES = {
    "number": pa.float64(),
    "boolean": pa.string(),
    "category": pa.string(),
    "text": pa.string(),
    "date": pa.timestamp("us"),
    "nested": pa.string(),
    "image": pa.string(),
    "audio": pa.string(),
}
