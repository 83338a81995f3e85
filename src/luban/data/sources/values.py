"""Columns of Python values, whatever they hold, to Arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luban.data.media.objects import embedded, is_object, is_stack
from luban.data.sources.unify import SHAPES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


_FIRST = 100
_TRUTH = {"bool", "bool_"}  # names of the types of Python and NumPy


def text(value: Any) -> str | None:
    """Return a value as text in the one way the whole house uses: booleans ``true``/``false``, whole numbers bare."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if _is_truth(value):
        return "true" if value else "false"
    if isinstance(value, Real):
        number = float(value)
        if math.isnan(number):
            return None
        if isinstance(value, int):
            return str(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def column(values: Sequence[Any], *, number: bool = False) -> pa.Array:
    """Return an Arrow array of the values; a mixture becomes numbers where all are numbers, text otherwise.

    Objects with names stay nested values, whatever shapes they have, so that they are told as such.

    Truth values among numbers are a mixture, whichever comes first; where `number` says that numbers are wanted they
    are 1 and 0, as one of them alone is. Pictures and sounds become references that hold their content, see
    `luban.data.media.objects`.
    """
    if any(map(is_object, values[:_FIRST])):
        values = [embedded(one) if is_object(one) else one for one in values]
    if number and _has_truth(values):
        values = [int(one) if _is_truth(one) else one for one in values]
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, TypeError, ValueError):
        present = [one for one in values if one is not None]
        if all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in present):
            array = pa.array([None if one is None else float(one) for one in values], pa.float64(), from_pandas=True)
        elif any(map(_is_nested, present)):  # of many shapes: as text it would pass for words
            array = pa.array([None if one is None else {"value": str(one)} for one in values], SHAPES)
        else:
            array = pa.array([text(one) for one in values], pa.string())
    else:
        # Arrow reads [13.5, True] as numbers, and refuses [True, 13.5].
        if not number and (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)) and _has_truth(values):
            array = pa.array([text(one) for one in values], pa.string())
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    return array


def _is_nested(value: Any) -> bool:
    """Return whether a value is an object with names, or a list that holds one."""
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_is_nested, value)))


def _has_truth(values: Sequence[Any]) -> bool:
    return any(kind.__name__ in _TRUTH for kind in set(map(type, values)))


def _is_truth(value: Any) -> bool:
    return type(value).__name__ in _TRUTH


def from_rows(rows: Sequence[Mapping[str, Any]], numbers: Collection[str] = ()) -> pa.Table:
    """Return a table of a list of dicts; a name that some lack is missing there. `numbers` are columns of numbers."""
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return pa.table({name: column([row.get(name) for row in rows], number=name in numbers) for name in names})


def from_columns(columns: Mapping[str, Any], numbers: Collection[str] = ()) -> pa.Table:
    """Return a table of a dict of columns: lists, NumPy arrays, Arrow arrays, series. `numbers` as in `from_rows`."""
    return pa.table({str(name): _array(values, str(name) in numbers) for name, values in columns.items()})


def _array(values: Any, number: bool) -> Any:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if hasattr(values, "tolist"):
        if is_stack(values):
            return column(list(values))
        if getattr(values, "dtype", None) is not None and values.dtype.kind in "biufM":
            return pa.array(values, from_pandas=True)
        values = values.tolist()
    return column(list(values), number=number)
