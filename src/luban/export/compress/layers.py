"""The matrix products of a graph, seen at work on real rows: what int8 costs each, and how to make it cost less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import helper, numpy_helper

from luban.learners.graph.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_ROWS = 2048
"""Of one layer's input."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75)


def smoothed(
    model: onnx.ModelProto, nodes: Iterable[str], batches: Sequence[Mapping[str, np.ndarray]]
) -> onnx.ModelProto:
    """Return a model that answers the same, whose inputs of matrix products (`nodes`, MatMul) have fewer outliers.

    Each number of an input is divided by a factor that the row of the matrix it meets is multiplied with, so that
    what is hard to write in 8 bits is shared between both. How strongly is chosen for each input by the error that
    is left.
    Source: Xiao et al. 2023, SmoothQuant (arXiv:2211.10438).
    """
    chosen = _chosen(model, nodes, ("MatMul",))
    weights = {one.name: one for one in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in chosen.values():
        readers.setdefault(node.input[0], []).append(node)
    seen = inputs_of(model, readers, batches)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    places = {node.name: node for node in made.graph.node}
    before: dict[str, list[onnx.NodeProto]] = {}
    replaced = {}
    for tensor, nodes_of_it in readers.items():
        matrices = [numpy_helper.to_array(weights[node.input[1]]) for node in nodes_of_it]
        if any(len(one) != len(matrices[0]) for one in matrices):
            continue
        factor = _factor(seen[tensor], matrices)
        if factor is None:
            continue
        smooth = f"{tensor}:smooth"
        made.graph.initializer.append(numpy_helper.from_array(1 / factor, f"{tensor}:factor"))
        divide = helper.make_node("Mul", [tensor, f"{tensor}:factor"], [smooth], name=f"{tensor}:smoothing")
        before.setdefault(nodes_of_it[0].name, []).append(divide)
        for node, matrix in zip(nodes_of_it, matrices, strict=True):
            name = f"{node.input[1]}:{node.name}:smooth"
            replaced[name] = numpy_helper.from_array(factor[:, None] * matrix, name)
            places[node.name].input[0], places[node.name].input[1] = smooth, name
    ordered = [one for node in made.graph.node for one in (*before.get(node.name, ()), node)]
    del made.graph.node[:]
    made.graph.node.extend(ordered)
    made.graph.initializer.extend(replaced.values())
    return without_idle_weights(made)


def without_idle_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leave the weights out that nothing reads, and return the model."""
    from luban.export.onnx.inline import reads

    used = {one.name for one in model.graph.output}
    for node in model.graph.node:
        used |= reads(node)
    kept = [one for one in model.graph.initializer if one.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def sensitivity(
    model: onnx.ModelProto, nodes: Iterable[str], batches: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, float]:
    """Return for each matrix product (`nodes`: MatMul, Gemm) the error that int8 makes, as a share of its output.

    Weights are taken to int8 with one scale a column, inputs to uint8 with one scale and zero point for the batch, as
    ONNX Runtime's dynamic quantisation does (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
    """
    weights = {one.name: one for one in model.graph.initializer}
    chosen = _chosen(model, nodes, ("MatMul", "Gemm"))
    seen = inputs_of(model, {node.input[0] for node in chosen.values()}, batches)
    found = {}
    for name, node in chosen.items():
        matrix = matrix_of(node, weights)
        found[name] = _error(seen[node.input[0]], matrix)
    return found


def inputs_of(
    model: onnx.ModelProto, names: Iterable[str], batches: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return rows of some tensors of the graph, shape (m, K).

    They are evenly chosen ones, and those with the largest numbers, which set the scale of int8.
    """
    wanted = sorted(names)
    given = {one.name for one in model.graph.input}
    inner = [name for name in wanted if name not in given]
    made = onnx.ModelProto()
    made.CopyFrom(model)
    known = {one.name for one in made.graph.output}
    made.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner if name not in known)
    session = open_session(made.SerializeToString())
    share = -(-MOST_ROWS // max(1, len(batches)))
    found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for batch in batches:
        inside = dict(zip(inner, session.run(inner, dict(batch)) if inner else (), strict=True))
        for name in wanted:
            values = inside[name] if name in inside else batch[name]
            found[name].append(_sample(values.reshape(-1, values.shape[-1]), share))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _sample(rows: np.ndarray, share: int) -> np.ndarray:
    extreme = np.argsort(np.abs(rows).max(axis=1))[-max(1, share // 8) :]
    return np.concatenate([rows[:: -(-len(rows) // share)], rows[extreme]])


def _factor(rows: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return what to divide an input by, shape (K,), or None where nothing is better."""
    largest = np.maximum(np.abs(rows).max(axis=0), 1e-5)
    heaviest = np.maximum(np.max([np.abs(one).max(axis=1) for one in matrices], axis=0), 1e-5)
    best, least = None, np.inf
    for strength in STRENGTHS:
        factor = largest**strength / heaviest ** (1 - strength) if strength else np.ones_like(largest)
        factor = (factor / np.exp(np.log(factor).mean())).astype(np.float32)
        error = sum(_error(rows / factor, factor[:, None] * one) for one in matrices)
        if error < least:
            best, least = (factor if strength else None), error
    return best


def _error(rows: np.ndarray, matrix: np.ndarray) -> float:
    """Return the error that int8 makes in a product, as a share of the product."""
    exact = rows @ matrix
    error = _activations(rows) @ _columns(matrix) - exact
    return float(np.linalg.norm(error) / max(float(np.linalg.norm(exact)), 1e-12))


def matrix_of(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> np.ndarray:
    """Return the matrix that a MatMul or Gemm multiplies its input with, shape (K, N)."""
    matrix: np.ndarray = numpy_helper.to_array(weights[node.input[1]])
    return matrix.T if any(one.name == "transB" and one.i for one in node.attribute) else matrix


def _chosen(model: onnx.ModelProto, nodes: Iterable[str], operators: tuple[str, ...]) -> dict[str, onnx.NodeProto]:
    wanted = set(nodes)
    return {node.name: node for node in model.graph.node if node.name in wanted and node.op_type in operators}


def _columns(matrix: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(matrix).max(axis=0, keepdims=True) / 127, 1e-12)
    return np.asarray(np.rint(matrix / scale) * scale)


def _activations(rows: np.ndarray) -> np.ndarray:
    low, high = min(float(rows.min()), 0.0), max(float(rows.max()), 0.0)
    scale = max((high - low) / 255, 1e-12)
    zero = np.rint(-low / scale)
    return np.asarray((np.clip(np.rint(rows / scale) + zero, 0, 255) - zero) * scale)
