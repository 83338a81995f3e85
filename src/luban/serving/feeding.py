"""One row's plain values (as `luban.data.row` gives them) as what a model takes: a session's arrays, or a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.data.dates import NO_DATE
from luban.export.onnx.columns import tensor_name, tensor_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from luban.core.schema import Column


def row_feeder(columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], dict[str, np.ndarray]]:
    """Return the function from conformed values by column to arrays of shape (1, 1) by tensor.

    All columns of one type become one array whose parts are handed out: making an array costs more than
    the value in it.
    """
    groups: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = []
    for kind in (np.float32, np.int64, np.object_):
        chosen = [column.name for column in columns if tensor_type(column) is kind]
        if chosen:
            groups.append((kind, tuple(chosen), tuple(map(tensor_name, chosen))))

    def feed(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for kind, names, tensors in groups:
            with np.errstate(over="ignore"):  # beyond float32 a number is an infinity, as it is for the encoders
                block = np.array([values[name] for name in names], dtype=kind).reshape(-1, 1, 1)
            found.update(zip(tensors, block, strict=True))
        return found

    return feed


def row_table(values: Mapping[str, Any], columns: Sequence[Column]) -> pa.Table:
    """Return conformed values of one row as a canonical table."""
    arrays = []
    for column in columns:
        value = values[column.name]
        if column.kind == "number":
            arrays.append(pa.array([value], type=pa.float64(), from_pandas=True))  # NaN becomes null
        elif column.kind == "date":
            arrays.append(pa.array([None if value == NO_DATE else value], type=pa.timestamp("us")))
        else:
            arrays.append(pa.array([value or None], type=pa.string()))
    return pa.table(arrays, names=[column.name for column in columns])
