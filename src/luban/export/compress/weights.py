"""The weights of a graph: which nodes hold them, and int8 forms of them that need no calibration.

All forms are symmetric: an int8 value times a scale, one scale a row of an embedding, or a column or block of a matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from luban.export.compress.layers import without_idle_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Rewritten = Callable[[onnx.NodeProto, np.ndarray], tuple[list[onnx.NodeProto], list[onnx.TensorProto]]]

LEAST = 4096
"""Numbers that a weight must have to be worth the nodes that int8 costs."""
BLOCK = 32
_PLACES = {"Gather": 0, "MatMul": 1, "Gemm": 1, "Conv": 1}


def weighty(model: onnx.ModelProto, operators: Iterable[str] = tuple(_PLACES)) -> dict[str, int]:
    """Return the nodes that hold a matrix or kernel of float32, by name, with how many numbers it has."""
    weights = {one.name: one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT}
    found = {}
    for node in model.graph.node:
        if node.op_type not in operators or node.domain not in ("", "ai.onnx") or node.op_type not in _PLACES:
            continue
        place = _PLACES[node.op_type]
        tensor = weights.get(node.input[place]) if len(node.input) > place else None
        if tensor is not None and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= LEAST:
            found[node.name] = int(np.prod(tensor.dims))
    return found


def quantised_rows(model: onnx.ModelProto, nodes: Iterable[str]) -> onnx.ModelProto:
    """Return a model whose embeddings (`nodes`, Gather along axis 0) are int8 with one scale a row.

    One scale for the whole table, as ONNX Runtime's own quantisation has it, loses ten times as much: the rows of
    rare words are small.
    """

    def rows(node: onnx.NodeProto, weight: np.ndarray) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        small, scale = _symmetric(weight, axis=tuple(range(1, weight.ndim)))
        name, out = node.input[0], node.output[0]
        parts = [
            helper.make_node("Gather", [f"{name}:int8", node.input[1]], [f"{out}:int8"], axis=0),
            helper.make_node("Gather", [f"{name}:scale", node.input[1]], [f"{out}:scale"], axis=0),
            helper.make_node("Cast", [f"{out}:int8"], [f"{out}:float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{out}:float", f"{out}:scale"], [out]),
        ]
        return parts, _tensors({f"{name}:int8": small, f"{name}:scale": scale})

    return _rewritten(model, {name for name in nodes if _axis(model, name) == 0}, rows)


def stored_small(model: onnx.ModelProto, nodes: Iterable[str]) -> onnx.ModelProto:
    """Return a model whose matrices and kernels (`nodes`) are kept as int8 and computed as float32.

    A matrix has one scale a column and block of 32 rows, a convolution one a kernel. The float32 weights are made when
    a session is opened: a runtime folds what it can compute from constants alone.
    """

    def small(node: onnx.NodeProto, weight: np.ndarray) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        name, wide = node.input[1], f"{node.input[1]}:{node.output[0]}"
        blocked = weight.ndim == 2 and weight.shape[0] % BLOCK == 0
        shaped = weight.reshape(-1, BLOCK, weight.shape[1]) if blocked else weight
        values, scale = _symmetric(shaped, axis=(1,) if blocked else tuple(range(1, weight.ndim)))
        made = onnx.NodeProto()
        made.CopyFrom(node)
        made.input[1] = f"{wide}:whole"
        parts = [
            helper.make_node("Cast", [f"{name}:int8"], [f"{wide}:float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{wide}:float", f"{name}:scale"], [f"{wide}:scaled"]),
            helper.make_node("Reshape", [f"{wide}:scaled", f"{name}:shape"], [f"{wide}:whole"]),
        ]
        shape = np.array(weight.shape, dtype=np.int64)
        return [*parts, made], _tensors({f"{name}:int8": values, f"{name}:scale": scale, f"{name}:shape": shape})

    return _rewritten(model, set(nodes), small)


def _symmetric(weight: np.ndarray, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 values and the float32 scales (that many axes kept as 1) whose product is nearest to the weight."""
    scale = (np.abs(weight).max(axis=axis, keepdims=True) / 127).astype(np.float32)
    scale[scale == 0] = 1.0
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def _tensors(arrays: dict[str, np.ndarray]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in arrays.items()]


def _axis(model: onnx.ModelProto, name: str) -> int | None:
    for node in model.graph.node:
        if node.name == name and node.op_type == "Gather":
            return next((one.i for one in node.attribute if one.name == "axis"), 0)
    return None


def _rewritten(model: onnx.ModelProto, nodes: set[str], rewrite: Rewritten) -> onnx.ModelProto:
    """Return a model with these nodes replaced; weights that nothing reads any more are left out."""
    weights = {one.name: one for one in model.graph.initializer}
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.initializer[:]
    added: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        if node.name not in nodes:
            made.graph.node.append(node)
            continue
        parts, tensors = rewrite(node, numpy_helper.to_array(weights[node.input[_PLACES[node.op_type]]]))
        for place, part in enumerate(parts):
            part.name = f"{node.name}:{place}"
        made.graph.node.extend(parts)
        added |= {one.name: one for one in tensors}
    made.graph.initializer.extend(weights.values())
    made.graph.initializer.extend(added.values())
    return without_idle_weights(made)
