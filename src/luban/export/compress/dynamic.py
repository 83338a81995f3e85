"""Matrix products in int8 whose inputs are taken to uint8 at each prediction.

As a rule an input has one scale for the batch. Where single tokens or patches have far larger numbers than the others,
which costs these most of their bits, each row of the input has its own scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from luban.export.compress.layers import inputs_of, matrix_of, without_idle_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DAMPING = 0.01
BLOCK = 64
WORTH = 0.5
"""Share of the error of one scale for all that scales a row must at most leave to be worth their time."""
ALMOST = 0.7
"""The same where the time matters less than the answers."""


class Product(NamedTuple):
    """A matrix in int8, and what its input is like.

    Attributes
    ----------
    values : numpy.ndarray
        int8, shape (K, N).
    scale : numpy.ndarray
        float32, shape (N,).
    left : float
        Share of the error of one scale for the whole input that a scale for each of its rows leaves.
    """

    values: np.ndarray
    scale: np.ndarray
    left: float


def products(
    model: onnx.ModelProto, nodes: Iterable[str], batches: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, Product]:
    """Return the int8 form of matrix products (`nodes`: MatMul, or Gemm without scaling), by the name of the node."""
    wanted = set(nodes)
    weights = {one.name: one for one in model.graph.initializer}
    chosen = {node.name: node for node in model.graph.node if node.name in wanted and plain(node)}
    seen = inputs_of(model, {node.input[0] for node in chosen.values()}, batches)
    upper = {name: _upper(rows) for name, rows in seen.items()}
    left = {name: _error_left(rows) for name, rows in seen.items()}
    return {
        name: Product(*_rounded(matrix_of(node, weights), upper[node.input[0]]), left=left[node.input[0]])
        for name, node in chosen.items()
    }


def quantised_products(
    model: onnx.ModelProto, ready: Mapping[str, Product], *, worth: float = WORTH
) -> onnx.ModelProto:
    """Return a model whose matrix products, as `products` gave them, are computed in int8.

    Inputs have a scale a row where it leaves less than a share (`worth`) of the error of one scale for all. The nodes
    are those that ONNX Runtime joins into quick operators when a session is opened.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    made.graph.initializer.extend(_CONSTANTS)
    scaled: set[str] = set()
    for node in model.graph.node:
        if node.name not in ready:
            made.graph.node.append(node)
            continue
        one, tensor, name = ready[node.name], node.input[0], f"{node.name}:matrix"
        made.graph.initializer.append(numpy_helper.from_array(one.values, f"{name}:int8"))
        made.graph.initializer.append(numpy_helper.from_array(one.scale, f"{name}:scale"))
        own = one.left < worth
        if tensor not in scaled:
            made.graph.node.extend(_by_row(tensor) if own else _by_batch(tensor))
            scaled.add(tensor)
        made.graph.node.extend(_product(node, tensor, name, own=own))
    return without_idle_weights(made)


def plain(node: onnx.NodeProto) -> bool:
    """Return whether a node is a product of an input with a matrix, and perhaps a bias, and nothing else."""
    if node.op_type == "MatMul":
        return True
    attributes = {one.name: one.i or one.f for one in node.attribute}
    ordinary = attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0
    return node.op_type == "Gemm" and ordinary and not attributes.get("transA", 0)


def rounded(matrix: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 values, shape (K, N), and scales, shape (N,), that keep the product with these rows nearest.

    What rounding one weight changes in the product is made up for by the weights of the same column that are not yet
    rounded.
    Source: Frantar et al. 2022, GPTQ (arXiv:2210.17323).

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape (K, N).
    rows : numpy.ndarray
        Real inputs, shape (m, K).
    """
    return _rounded(matrix, _upper(rows))


def _upper(rows: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor of the inverse of the second moments of an input."""
    second = (rows.T @ rows).astype(np.float64) / max(1, len(rows))
    second[np.diag_indices(len(second))] += DAMPING * max(float(np.mean(np.diag(second))), 1e-12)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(second)).T, dtype=np.float32)


def _rounded(matrix: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.maximum(np.abs(matrix).max(axis=0) / 127, 1e-12).astype(np.float32)
    left = matrix.astype(np.float32).copy()
    values = np.zeros(matrix.shape, dtype=np.int8)
    for start in range(0, len(left), BLOCK):
        end = min(start + BLOCK, len(left))
        errors: np.ndarray = np.zeros((end - start, left.shape[1]), dtype=np.float32)
        for place in range(start, end):
            values[place] = np.clip(np.rint(left[place] / scale), -127, 127)
            errors[place - start] = (left[place] - values[place] * scale) / upper[place, place]
            left[place + 1 : end] -= upper[place, place + 1 : end, None] * errors[place - start]
        left[end:] -= upper[start:end, end:].T @ errors
    return values, scale


def _error_left(rows: np.ndarray) -> float:
    """Return the share of the error of one scale for an input that a scale for each of its rows leaves."""
    low, high = min(float(rows.min()), 0.0), max(float(rows.max()), 0.0)
    whole = max((high - low) / 255, 1e-12)
    single = 2 * np.abs(rows).max(axis=1) / 255
    return float(np.sqrt((single**2).mean())) / whole


def _by_batch(tensor: str) -> list[onnx.NodeProto]:
    outputs = [f"{tensor}:uint8", f"{tensor}:scale", f"{tensor}:zero"]
    return [helper.make_node("DynamicQuantizeLinear", [tensor], outputs, name=f"{tensor}:quantise")]


def _by_row(tensor: str) -> list[onnx.NodeProto]:
    """Return the nodes that take an input to uint8, shape (rows, K), where 128 stands for zero, with a scale a row."""
    name = f"{tensor}:rows"
    made = [
        helper.make_node("Shape", [tensor], [f"{name}:shape"]),
        helper.make_node("Gather", [f"{name}:shape", "int8:last"], [f"{name}:inner"]),
        helper.make_node("Concat", ["int8:any", f"{name}:inner"], [f"{name}:flat"], axis=0),
        helper.make_node("Reshape", [tensor, f"{name}:flat"], [name]),
        helper.make_node("ReduceMax", [name, "int8:one"], [f"{name}:most"], keepdims=0),
        helper.make_node("ReduceMin", [name, "int8:one"], [f"{name}:least"], keepdims=0),
        helper.make_node("Neg", [f"{name}:least"], [f"{name}:below"]),
        helper.make_node("Max", [f"{name}:most", f"{name}:below", "int8:tiny"], [f"{name}:largest"]),
        helper.make_node("Mul", [f"{name}:largest", "int8:step"], [f"{tensor}:scale"]),
        helper.make_node("Shape", [f"{tensor}:scale"], [f"{name}:count"]),
        helper.make_node("Expand", ["int8:zero", f"{name}:count"], [f"{name}:zeros"]),
        helper.make_node("QuantizeLinear", [name, f"{tensor}:scale", f"{name}:zeros"], [f"{tensor}:uint8"], axis=0),
        # The largest scale goes with the product, which ONNX Runtime then joins, and each row's share of it follows.
        helper.make_node("ReduceMax", [f"{tensor}:scale", "int8:start"], [f"{tensor}:whole"], keepdims=0),
        helper.make_node("Div", [f"{tensor}:scale", f"{tensor}:whole"], [f"{name}:shares"]),
        helper.make_node("Unsqueeze", [f"{name}:shares", "int8:one"], [f"{tensor}:shares"]),
        helper.make_node("Slice", [f"{name}:shape", "int8:start", "int8:last"], [f"{tensor}:leading"]),
    ]
    for place, one in enumerate(made):
        one.name = f"{name}:{place}"
    return made


def _product(node: onnx.NodeProto, tensor: str, name: str, *, own: bool) -> list[onnx.NodeProto]:
    bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else None
    out = f"{node.output[0]}:product" if bias else node.output[0]
    zero, scale = ("int8:zero", f"{tensor}:whole") if own else (f"{tensor}:zero", f"{tensor}:scale")
    plain_out = f"{name}:rows" if own else out
    made = [
        helper.make_node("MatMulInteger", [f"{tensor}:uint8", f"{name}:int8", zero], [f"{name}:whole"]),
        helper.make_node("Cast", [f"{name}:whole"], [f"{name}:float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [scale, f"{name}:scale"], [f"{name}:scales"]),
        helper.make_node("Mul", [f"{name}:float", f"{name}:scales"], [plain_out]),
    ]
    if own:
        made += [
            helper.make_node("Mul", [plain_out, f"{tensor}:shares"], [f"{name}:scaled"]),
            helper.make_node("Concat", [f"{tensor}:leading", "int8:any"], [f"{name}:shape"], axis=0),
            helper.make_node("Reshape", [f"{name}:scaled", f"{name}:shape"], [out]),
        ]
    if bias:
        made.append(helper.make_node("Add", [out, bias], [node.output[0]]))
    for place, one in enumerate(made):
        one.name = f"{node.name}:{place}"
    return made


_CONSTANTS = [
    numpy_helper.from_array(values, f"int8:{name}")
    for name, values in {
        "any": np.array([-1], dtype=np.int64),
        "start": np.array([0], dtype=np.int64),
        "last": np.array([-1], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
        "tiny": np.array(1e-12, dtype=np.float32),
        "step": np.array(1 / 127, dtype=np.float32),
        "zero": np.array(128, dtype=np.uint8),
    }.items()
]
