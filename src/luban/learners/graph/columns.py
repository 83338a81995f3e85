"""Input columns as tensors: their names, their types, and the values to feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Column

OUTPUTS = ("prediction", "probabilities", "quantiles")
MISSING_DATE = np.iinfo(np.int64).min
_TYPES: Mapping[str, Any] = {
    "number": np.float32,
    "category": np.object_,
    "boolean": np.object_,
    "text": np.object_,
    "date": np.int64,
}


def tensor_name(column: str) -> str:
    """Return the name of a column's input tensor: its own, unless an output already has that name."""
    return f"input:{column}" if column in OUTPUTS else column


def is_tensor(column: Column) -> bool:
    """Return whether the values of a column are tensors of one value a row."""
    return column.kind in _TYPES


def tensor_type(column: Column) -> Any:
    """Return the NumPy type of a column's input tensor (``object`` for strings).

    Raises
    ------
    Unsupported
        If values of this kind are not tensors of one value a row.
    """
    if column.kind not in _TYPES:
        raise Unsupported(
            f"the column {column.name!r} cannot be an input of an ONNX graph",
            seen=f"its kind is {column.kind}",
            remedy=f"Kinds that can: {', '.join(_TYPES)}.",
        )
    return _TYPES[column.kind]


def feeds(table: pa.Table, columns: Sequence[Column]) -> dict[str, np.ndarray]:
    """Return what to feed a session: for each column an array of shape (n, 1).

    Parameters
    ----------
    table : pyarrow.Table
        A canonical table with these columns.
    """
    return {tensor_name(column.name): _values(table.column(column.name), column).reshape(-1, 1) for column in columns}


def _values(values: pa.ChunkedArray, column: Column) -> np.ndarray:
    kind = tensor_type(column)
    if kind is np.object_:
        texts = values if pa.types.is_string(values.type) else values.cast(pa.string())
        return np.asarray(pc.fill_null(texts, "").to_numpy(), dtype=np.object_)
    if kind is np.int64:
        moments = values.cast(pa.timestamp("us")).cast(pa.int64())
        return np.asarray(pc.fill_null(moments, MISSING_DATE).to_numpy(), dtype=np.int64)
    with np.errstate(over="ignore"):  # beyond float32 a number is an infinity, as it is for the encoders
        return np.asarray(pc.fill_null(values, np.nan).to_numpy(), dtype=np.float32)
