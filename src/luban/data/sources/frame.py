"""Tables in memory: pandas, polars, Arrow, anything with the Arrow PyCapsule interface, dicts and lists of dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.data.checks import check_names
from luban.data.media.objects import embedded, is_object
from luban.data.sources import values
from luban.data.storage import plain_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_ROWS = 65_536


class FrameSource:
    """Objects in memory. A dict of lists is a table, a dict of single values is one row."""

    def matches(self, location: Any) -> bool:
        """Return whether the object is a table in a form that is known."""
        if isinstance(location, Mapping):
            return True
        if isinstance(location, list | tuple):
            return bool(location) and all(isinstance(one, Mapping) for one in location)
        if isinstance(location, np.ndarray):
            return location.ndim == 2 or location.dtype.names is not None
        return hasattr(location, "__arrow_c_stream__") or hasattr(location, "__arrow_c_array__") or _is_pandas(location)

    def read(self, location: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield batches of at most 65,536 rows.

        Raises
        ------
        InputError
            If columns are double, unnamed or of different lengths.
        """
        if options:
            raise InputError(f"tables in memory have no option {min(options)!r}", remedy="Leave it out.")
        table = to_table(location)
        batches = table.to_batches(max_chunksize=_ROWS)
        return iter(batches or [pa.RecordBatch.from_pylist([], schema=table.schema)])


def to_table(data: Any, numbers: Collection[str] = ()) -> pa.Table:
    """Return an object in memory as an Arrow table of plain types.

    In the columns that `numbers` names truth values among other Python values are 1 and 0.
    """
    try:
        table = _table(data, numbers)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError) as error:
        raise InputError(
            "the object cannot be read as a table",
            seen=f"{type(data).__name__}: {str(error)[:160]}",
            remedy="Give columns of one length: a data frame, an Arrow table, a dict of lists or a list of dicts.",
        ) from error
    check_names(table.column_names)
    return plain_table(table.replace_schema_metadata(None))


def _table(data: Any, numbers: Collection[str]) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if _is_pandas(data):
        return _from_pandas(data, numbers)
    if isinstance(data, Mapping):
        data = {name: embedded(one) if is_object(one) else one for name, one in data.items()}
        several = any(
            isinstance(one, list | tuple) or (hasattr(one, "__len__") and not isinstance(one, str | bytes | Mapping))
            for one in data.values()
        )
        return values.from_columns(data, numbers) if several else values.from_rows([data], numbers)
    if isinstance(data, list | tuple):
        return values.from_rows(data, numbers)
    if isinstance(data, np.ndarray):
        if data.dtype.names is not None:
            return values.from_columns({name: data[name] for name in data.dtype.names}, numbers)
        return values.from_columns({f"x{place}": data[:, place] for place in range(data.shape[1])}, numbers)
    return pa.table(data)


def _is_pandas(data: Any) -> bool:
    kind = type(data)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas"


def _from_pandas(frame: Any, numbers: Collection[str]) -> pa.Table:
    names = [str(name) for name in frame.columns]
    check_names(names, "the data frame")
    arrays = []
    for place, name in enumerate(names):
        series = frame.iloc[:, place]
        try:
            found = pa.Array.from_pandas(series)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # a mixture of types
            arrays.append(_of_objects(series, name in numbers))
            continue
        if series.dtype == object and (pa.types.is_floating(found.type) or pa.types.is_integer(found.type)):
            arrays.append(_of_objects(series, name in numbers))  # truth values may be among them
        else:
            arrays.append(pa.chunked_array([found] if isinstance(found, pa.Array) else found.chunks, found.type))
    return pa.table(arrays, names=names)


def _of_objects(series: Any, number: bool) -> pa.ChunkedArray:
    given = [None if _missing(one) else one for one in series.tolist()]
    return pa.chunked_array([values.column(given, number=number)])


def _missing(value: Any) -> bool:
    if hasattr(value, "shape") and value.shape:  # an array is there
        return False
    return value is None or value != value or type(value).__name__ in {"NAType", "NaTType"}  # noqa: PLR0124 - NaN
