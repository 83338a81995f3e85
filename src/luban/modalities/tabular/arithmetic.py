"""One formula, two ways to carry it out: at once with NumPy, or as nodes of an ONNX graph.

An encoder writes its mathematics once, as a function of an `Arithmetic`, and both ways do the same operations on the
same types in the same order. Arrays keep their type; a constant must have the type of what it meets.
"""

# ruff: noqa: D102 - the methods are documented where the protocol declares them
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.protocols import Graph

ONNX_TYPES = {"float32": 1, "int64": 7, "bool": 9, "float64": 11}  # TensorProto.DataType


class Arithmetic(Protocol):
    """Operations on arrays (or tensors); constants are NumPy arrays."""

    def binary(self, operator: str, left: Any, right: Any) -> Any:
        """Apply an ONNX operator of two inputs; ``Div`` of whole numbers and ``Mod`` take no negative ones."""

    def unary(self, operator: str, value: Any) -> Any:
        """Apply an ONNX operator of one input."""

    def cast(self, value: Any, dtype: str) -> Any:
        """Return the values as ``float32``, ``float64`` or ``int64``."""

    def where(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """Choose elementwise."""

    def clip(self, value: Any, low: np.ndarray, high: np.ndarray) -> Any:
        """Limit the values to scalars; NaN stays NaN."""

    def gather(self, table: Any, indices: Any, axis: int = 0) -> Any:
        """Return the rows (or along another axis) of `table` at `indices`."""

    def total(self, value: Any, axis: int) -> Any:
        """Return the sum along an axis, which is dropped."""

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        """Return the values in another shape; the first size is -1."""

    def concatenate(self, values: Sequence[Any]) -> Any:
        """Return matrices side by side."""


_BINARY: dict[str, Any] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Mod": np.mod,
    "Max": np.maximum,
    "Min": np.minimum,
    "MatMul": np.matmul,
    "Equal": np.equal,
    "GreaterOrEqual": np.greater_equal,
}
_UNARY: dict[str, Any] = {"Sqrt": np.sqrt, "IsNaN": np.isnan, "Round": np.rint}


class Numerical:
    """Arithmetic carried out at once on NumPy arrays."""

    def binary(self, operator: str, left: Any, right: Any) -> Any:
        with np.errstate(all="ignore"):  # what overflows or divides by zero is part of the formula
            if operator == "Div":
                whole = np.result_type(left, right).kind == "i"
                return np.floor_divide(left, right) if whole else np.divide(left, right)
            return _BINARY[operator](left, right)

    def unary(self, operator: str, value: Any) -> Any:
        with np.errstate(all="ignore"):
            return _UNARY[operator](value)

    def cast(self, value: Any, dtype: str) -> Any:
        return value.astype(dtype)

    def where(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return np.where(condition, then, otherwise)

    def clip(self, value: Any, low: np.ndarray, high: np.ndarray) -> Any:
        return np.clip(value, low, high)

    def gather(self, table: Any, indices: Any, axis: int = 0) -> Any:
        return np.take(table, indices, axis=axis)

    def total(self, value: Any, axis: int) -> Any:
        return value.sum(axis=axis)

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        return value.reshape(len(value), *shape[1:])

    def concatenate(self, values: Sequence[Any]) -> Any:
        return np.concatenate(values, axis=1)


class Symbolic:
    """Arithmetic written down as nodes of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def _tensor(self, value: Any) -> str:
        return value if isinstance(value, str) else self.graph.constant(np.asarray(value))

    def _node(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        tensor: str = self.graph.node(operator, *map(self._tensor, inputs), **attributes)
        return tensor

    def binary(self, operator: str, left: Any, right: Any) -> Any:
        return self._node(operator, left, right)

    def unary(self, operator: str, value: Any) -> Any:
        return self._node(operator, value)

    def cast(self, value: Any, dtype: str) -> Any:
        return self._node("Cast", value, to=ONNX_TYPES[dtype])

    def where(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return self._node("Where", condition, then, otherwise)

    def clip(self, value: Any, low: np.ndarray, high: np.ndarray) -> Any:
        return self._node("Clip", value, low, high)

    def gather(self, table: Any, indices: Any, axis: int = 0) -> Any:
        return self._node("Gather", table, indices, axis=axis)

    def total(self, value: Any, axis: int) -> Any:
        return self._node("ReduceSum", value, np.array([axis], dtype=np.int64), keepdims=0)

    def reshape(self, value: Any, shape: tuple[int, ...]) -> Any:
        return self._node("Reshape", value, np.array(shape, dtype=np.int64))

    def concatenate(self, values: Sequence[Any]) -> Any:
        return self._node("Concat", *values, axis=1) if len(values) > 1 else values[0]


NUMERICAL = Numerical()
