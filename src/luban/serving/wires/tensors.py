"""Tensors of the Open Inference Protocol: their datatypes, from JSON to the values of one column, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError
from luban.core.kinds import MEANINGS
from luban.learners.predictions import label_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Column

WHOLE = {
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
}
REAL = {"FP16": 65504.0, "FP32": float(np.finfo(np.float32).max), "FP64": float(np.finfo(np.float64).max)}
DATATYPES = ("BOOL", *WHOLE, *REAL, "BYTES")
# A work of its own is a string: words as they are, a file as its content, in base64 or as a data URI.
_WORKS: tuple[str, ...] = tuple(kind for kind, meaning in MEANINGS.items() if not meaning.cell)
_FOR_KIND = {
    "number": "FP64",
    "boolean": "BOOL",
    "category": "BYTES",
    "date": "BYTES",
    **dict.fromkeys(_WORKS, "BYTES"),
}
_ACCEPTED: dict[str, tuple[str, ...]] = {
    "number": (*WHOLE, *REAL, "BOOL"),
    "boolean": ("BOOL", "BYTES", *WHOLE),
    "category": ("BYTES", "BOOL", *WHOLE, *REAL),
    "date": ("BYTES", "INT64"),
    **dict.fromkeys(_WORKS, ("BYTES",)),
}


class Tensor(NamedTuple):
    """The values of one column: None where missing, else bool, int, float or str by the datatype."""

    datatype: str
    values: list[Any]

    def single(self, column: Column) -> Any:
        """Return the only value as a row holds it."""
        value = self.values[0]
        return np.datetime64(value, "us") if column.kind == "date" and type(value) is int else value

    def to_arrow(self, column: Column) -> pa.Array:
        """Return the values as an Arrow array; INT64 dates are microseconds since 1970."""
        if self.datatype == "BYTES":
            return pa.array(self.values, type=pa.string())
        if self.datatype == "BOOL":
            return pa.array(self.values, type=pa.bool_())
        if self.datatype in REAL:
            return pa.array(self.values, type=pa.float64())
        whole = pa.array(self.values, type=pa.uint64() if self.datatype == "UINT64" else pa.int64())
        return whole.cast(pa.timestamp("us")) if column.kind == "date" else whole


def datatype(column: Column) -> str:
    """Return the datatype that the model's metadata names for a column."""
    return _FOR_KIND[column.kind]


def decode(tensor: Any, column: Column) -> Tensor:
    """Return the checked values of an input tensor in JSON.

    ``data`` is flat or nested; null means missing.

    Parameters
    ----------
    tensor : object
        ``{"name", "shape", "datatype", "data"}`` of the request, its shape (n,) or (n, 1).

    Raises
    ------
    InputError
        Naming the column, and the row where it is about one.
    """
    kind = check_datatype(tensor, column)
    rows, data = check_shape(tensor.get("shape"), column), tensor.get("data")
    if not isinstance(data, list):
        raise InputError(f"the input {column.name!r} has no list of data", seen=type(data).__name__)
    values = _flat(data, column)
    if len(values) != rows:
        raise InputError(
            f"the input {column.name!r} has another number of values than its shape says",
            seen=f"{len(values)} values, shape {tensor['shape']}",
        )
    check_values(kind, values, column)
    return Tensor(kind, values)


def one_row(inputs: Any, columns: Mapping[str, Column]) -> dict[str, Any] | None:
    """Return the row of inputs that have one good value each, or None where they are anything else.

    Most requests are such a row, and reading it so takes a third of the time. All else, and what is wrong with
    it, is for `decode` to say.

    Parameters
    ----------
    inputs : object
        As the request has them.
    columns : mapping of str to Column
        The columns of the model.
    """
    row: dict[str, Any] = {}
    try:
        for tensor in inputs:
            name, data = tensor["name"], tensor["data"]
            value = data[0]
            fits = _SINGLE[columns[name].kind][tensor["datatype"]]
            if tensor["shape"] != _ONE or len(tensor) != len(_KEYS) or type(data) is not list or len(data) != 1:
                return None
            if value is not None and not fits(value):
                return None
            row[name] = value
    except (LookupError, TypeError):  # a field that is not there, or is something else
        return None
    return row if row and len(row) == len(inputs) else None


def check_datatype(tensor: Any, column: Column) -> str:
    """Return the datatype of an input, or raise `InputError` where the column does not take it."""
    kind = tensor.get("datatype")
    if kind not in DATATYPES:
        raise InputError(
            f"the input {column.name!r} has no datatype of the protocol",
            seen=repr(kind)[:100],
            remedy=f"One of {', '.join(DATATYPES)}.",
        )
    if kind not in _ACCEPTED[column.kind]:
        raise InputError(
            f"the column {column.name!r} is a {column.kind} and takes no {kind}", remedy=f"Send {datatype(column)}."
        )
    return str(kind)


def check_shape(shape: Any, column: Column) -> int:
    """Return the number of rows, or raise `InputError` where the shape is neither (n,) nor (n, 1)."""
    whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise InputError(
            f"the input {column.name!r} must have the shape [rows, 1] or [rows]", seen=f"shape {shape!r}"[:200]
        )
    return int(shape[0])


def _flat(data: list[Any], column: Column) -> list[Any]:
    if not any(isinstance(one, list) for one in data):
        return data
    values = []
    for row, one in enumerate(data):
        if not isinstance(one, list) or len(one) != 1 or isinstance(one[0], list):
            raise InputError(
                f"the input {column.name!r} is not nested as its shape says, in row {row + 1}", seen=repr(one)[:100]
            )
        values.append(one[0])
    return values


def check_values(kind: str, values: Sequence[Any], column: Column) -> None:
    """Raise `InputError`, naming column and row, at the first value that is not of the datatype."""
    fits = _TESTS[kind]
    for row, value in enumerate(values):
        if value is not None and not fits(value):
            raise InputError(
                f"the column {column.name!r} has a value that is no {kind}, in row {row + 1}",
                seen=repr(value)[:100],
                remedy="Write null for a missing value.",
            )


def _whole(low: int, high: int) -> Any:
    return lambda value: type(value) is int and low <= value <= high


def _real(largest: float) -> Any:
    return lambda value: (type(value) is float or type(value) is int) and -largest <= value <= largest


def is_text(value: Any) -> bool:
    """Return whether a value is a string that has a form in UTF-8 (JSON can spell half a character)."""
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_TESTS: dict[str, Any] = {
    "BOOL": lambda value: type(value) is bool,
    "BYTES": is_text,
    **{kind: _whole(*limits) for kind, limits in WHOLE.items()},
    **{kind: _real(largest) for kind, largest in REAL.items()},
}
_KEYS = ("name", "shape", "datatype", "data")
_ONE = [1, 1]
_SINGLE: dict[str, dict[str, Any]] = {  # by a column's kind and a datatype, for values that a row holds as they come
    kind: {one: _TESTS[one] for one in accepted if (kind, one) != ("date", "INT64")}
    for kind, accepted in _ACCEPTED.items()
}


def encode(name: str, values: np.ndarray) -> dict[str, Any]:
    """Return an output tensor in JSON; `values` has the shape (n,) or (n, width), data is flat in row-major order."""
    kind = _OUTPUT.get(values.dtype.kind, "BYTES")
    return {"name": name, "shape": list(values.shape), "datatype": kind, "data": values.ravel().tolist()}


def encode_row(name: str, value: Any, empty: np.ndarray) -> dict[str, Any]:
    """Return the output tensor of one row.

    Parameters
    ----------
    value : label, number or mapping to numbers
        As `Runtime.predict_row` gives it.
    empty : numpy.ndarray
        This output for no rows.
    """
    kind = _OUTPUT.get(empty.dtype.kind, "BYTES")
    if isinstance(value, dict):
        return {"name": name, "shape": [1, len(value)], "datatype": kind, "data": list(value.values())}
    return {"name": name, "shape": [1], "datatype": kind, "data": [label_text(value) if kind == "BYTES" else value]}


_OUTPUT = {"b": "BOOL", "i": "INT64", "u": "UINT64", "f": "FP64"}
