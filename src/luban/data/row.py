"""One row, given as a dict, as the values that a model was promised; in plain Python, for serving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from luban.core.errors import InputError, LubanError
from luban.core.paths import paths_allowed
from luban.data.booleans import FALSE_WORDS, TRUE_WORDS
from luban.data.dates import NO_DATE, moment, parse_date
from luban.data.media.endings import KINDS
from luban.data.numbers import MISSING_WORDS, parse_number
from luban.data.sources.values import text
from luban.data.words import of_words, spaced

if TYPE_CHECKING:
    from luban.core.schema import Column

Value = float | str | int
Missing = Literal["error", "fill"]
MISSING_COLUMN = (
    "Add it, rename the one that holds it, or predict with --missing fill (missing='fill' in Python) to take it as "
    "missing in every row."
)
RowReader = Callable[[Mapping[str, Any]], dict[str, Value]]

_ABSENT = object()
_recent: dict[tuple[int, str, bool], tuple[Sequence[Column], RowReader]] = {}


def conform_row(
    row: Mapping[str, Any], columns: Sequence[Column], *, missing: Missing = "error", paths: bool | None = None
) -> dict[str, Value]:
    """Return the values of one row by column name, in the order of `columns`.

    The same rules as `luban.data.conform.conform`. A number is a float (NaN where missing), a category, boolean
    or text a str (``""`` where missing), a date an int: microseconds since 1970 (`NO_DATE` where missing), a picture or
    sound a reference to content that can be read (``""`` where missing).

    Raises
    ------
    InputError
        Naming the column and the value.
    Refused
        If a path is given where only content is taken.
    """
    key = (id(columns), missing, paths_allowed() if paths is None else paths)
    held = _recent.get(key)
    if held is None or held[0] is not columns:
        if len(_recent) > 64:
            _recent.clear()
        held = _recent[key] = (columns, row_reader(columns, missing=missing, paths=key[2]))
    return held[1](row)


def row_reader(columns: Sequence[Column], *, missing: Missing = "error", paths: bool | None = None) -> RowReader:
    """Return the function that conforms one row to these columns, made once for many rows.

    `paths` as in `luban.data.conform.conform`.
    """
    check_missing(missing)
    take_paths = paths_allowed() if paths is None else paths
    readers: dict[str, Callable[[Column, Any], Value]] = dict(_READERS)
    readers |= {kind: partial(_media, paths=take_paths) for kind in KINDS}
    plan = tuple(
        (column.name, partial(_spaced if of_words(column) else readers[column.kind], column)) for column in columns
    )
    fill = missing == "fill"

    def read(row: Mapping[str, Any]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        get = row.get
        for name, convert in plan:
            value = get(name, _ABSENT)
            if value is _ABSENT:
                if not fill:
                    raise _missing(name, row, columns)
                value = None
            values[name] = convert(value)
        return values

    return read


def check_missing(missing: str) -> None:
    """Raise `InputError` where `missing` is neither ``"error"`` nor ``"fill"``."""
    if missing not in {"error", "fill"}:
        raise InputError(
            "missing must be error or fill",
            seen=repr(missing)[:100],
            remedy="With fill a column that is not there is taken as missing in every row.",
        )


def _missing(name: str, row: Mapping[str, Any], columns: Sequence[Column]) -> InputError:
    absent = [column.name for column in columns if column.name not in row]
    others = f" ({len(absent)} are missing: {', '.join(absent[:8])})" if len(absent) > 1 else ""
    return InputError(
        f"the column {name!r} is missing{others}",
        seen=f"columns {', '.join(map(str, list(row)[:8]))}",
        remedy=MISSING_COLUMN,
    )


def _wrong(column: Column, value: Any, wanted: str) -> InputError:
    return InputError(
        f"the column {column.name!r} holds a value that is {wanted}",
        seen=repr(value)[:120],
        remedy="Correct the value, or leave it empty where it is not known.",
    )


def _number(column: Column, value: Any) -> float:
    if type(value) is float or type(value) is int:
        number = float(value)
    elif value is None or _is_missing(value):
        return math.nan
    elif isinstance(value, str):
        decimal = column.storage.partition(" ")[2]
        found = parse_number(value, decimal if decimal in {",", "."} else "")
        if found is None:
            raise _wrong(column, value, "no number")
        number = found
    else:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise _wrong(column, value, "no number") from None
    if math.isinf(number):
        raise _wrong(column, value, "infinite")
    return number


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in {"NAType", "NaTType"}


def _boolean(column: Column, value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    word = _text(column, value).strip().lower()
    if word in MISSING_WORDS:
        return ""
    if word in TRUE_WORDS:
        return "true"
    if word in FALSE_WORDS:
        return "false"
    raise _wrong(column, value, "neither true nor false")


def _text(column: Column, value: Any) -> str:
    if type(value) is str:
        return value
    if value is None or _is_missing(value):
        return ""
    if isinstance(value, Mapping | list | tuple | set):
        raise _wrong(column, value, "nested")
    return text(value) or ""


def _spaced(column: Column, value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return spaced(value, column.storage) or ""
    return spaced(_text(column, value), column.storage) or ""


def _date(column: Column, value: Any) -> int:
    if isinstance(value, str):
        found = parse_date(value, column.storage.partition(" ")[2])
        if found is None:
            raise _wrong(column, value, "no date that can be read")
        return found
    if value is None or _is_missing(value) or value != value:  # noqa: PLR0124 - NaN
        return NO_DATE
    if isinstance(value, date):
        return moment(value)
    if type(value).__name__ == "datetime64":
        return int(value.astype("datetime64[us]").astype("int64"))
    raise _wrong(column, value, "no date")


def _media(column: Column, value: Any, *, paths: bool) -> str:
    from luban.data.media.value import reference
    from luban.data.media.verify import sound

    try:
        found = reference(value, column.kind, paths=paths)
    except LubanError as error:
        raise type(error)(
            f"the column {column.name!r}: {error.happened}", seen=error.seen, remedy=error.remedy
        ) from error
    return sound(column.name, column.kind, [found])[0][0] or ""


def _unreadable(column: Column, value: Any) -> str:
    raise _wrong(column, value, f"of kind {column.kind}, which no plain row can hold")


_READERS: dict[str, Callable[[Column, Any], Value]] = {
    "number": _number,
    "boolean": _boolean,
    "category": _text,
    "text": _text,
    "date": _date,
    "nested": _unreadable,
}
