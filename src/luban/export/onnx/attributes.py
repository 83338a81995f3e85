"""Attributes of ONNX nodes, from Python values and arrays, by the operator's schema.

``onnx.helper`` guesses an attribute's type from its values and looks at each; the schema knows it, and an
ensemble of trees has a million of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, TensorProto, numpy_helper

from luban.core.errors import Unsupported


def fill_attribute(made: AttributeProto, operator: str, name: str, value: Any, declared: Any) -> None:
    """Make an empty attribute `name` with `value`, converted to the type that the schema declares."""
    # The schema's own enumeration has the names of AttributeProto's.
    kind = declared.type.name
    made.name, made.type = name, getattr(AttributeProto, kind)
    try:
        _FILL[kind](made, value)
    except (KeyError, TypeError, ValueError) as error:
        raise Unsupported(
            f"the attribute {name} of {operator} must be of the type {kind}", seen=f"{type(value).__name__}: {error}"
        ) from error


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _fill_tensor(made: AttributeProto, value: Any) -> None:
    made.t.CopyFrom(value if isinstance(value, TensorProto) else numpy_helper.from_array(_tensor_values(value)))


def _tensor_values(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.object_) if array.dtype.kind in "US" else array


def _fill_graph(made: AttributeProto, value: GraphProto) -> None:
    made.g.CopyFrom(value)


def _fill_string(made: AttributeProto, value: Any) -> None:
    made.s = _text(_plain(value))


def _fill_integer(made: AttributeProto, value: Any) -> None:
    made.i = int(_plain(value))


def _fill_float(made: AttributeProto, value: Any) -> None:
    made.f = float(_plain(value))


def _fill_strings(made: AttributeProto, value: Any) -> None:
    values = _plain(value)
    encoded = {one: _text(one) for one in set(values)}  # the modes of a million nodes are three words
    made.strings.extend([encoded[one] for one in values])


_FILL = {
    "INT": _fill_integer,
    "FLOAT": _fill_float,
    "STRING": _fill_string,
    "INTS": lambda made, value: made.ints.extend(_plain(value)),
    "FLOATS": lambda made, value: made.floats.extend(_plain(value)),
    "STRINGS": _fill_strings,
    "TENSOR": _fill_tensor,
    "GRAPH": _fill_graph,
}
