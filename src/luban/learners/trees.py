"""Decision trees of any origin as flat arrays, and from there to ONNX.

The learners that grow trees each read their own library's format into `Trees`; the way from there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Tampered

if TYPE_CHECKING:
    from luban.core.protocols import Graph

AT_MOST, BELOW, EQUAL = 0, 1, 2
"""Tests of a node: the left child is taken where the feature is <=, < or == its threshold."""

_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_EQ")


@dataclass(frozen=True, kw_only=True)
class Trees:
    """A sum of decision trees over float32 features.

    Children are numbers of inner nodes, or ``~leaf`` (negative) for leaves. The inner nodes and the leaves of one
    tree stand together, in the order of the trees, the root first.

    Parameters
    ----------
    feature : numpy.ndarray
        Shape (inner nodes,), int64.
    threshold : numpy.ndarray
        Shape (inner nodes,), float32.
    test : numpy.ndarray
        Shape (inner nodes,), uint8: `AT_MOST`, `BELOW` or `EQUAL`.
    missing_left : numpy.ndarray
        Shape (inner nodes,), bool: where NaN goes.
    left, right : numpy.ndarray
        Shape (inner nodes,), int64.
    inner, leaves : numpy.ndarray
        Shape (trees,), int64: how many inner nodes and leaves each tree has.
    output : numpy.ndarray
        Shape (trees,), int64: the output that a tree with one value a leaf adds to; unused for vector leaves.
    value : numpy.ndarray
        Shape (leaves,) or, for vector leaves, (leaves, outputs); float64.
    base : numpy.ndarray
        Shape (outputs,), float64: what the sum starts from.
    """

    feature: np.ndarray
    threshold: np.ndarray
    test: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    inner: np.ndarray
    leaves: np.ndarray
    output: np.ndarray
    value: np.ndarray
    base: np.ndarray

    @property
    def outputs(self) -> int:
        """How many numbers a row's sum has."""
        return len(self.base)


def round_down(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float32 numbers that are not above float64 thresholds.

    For a float32 feature x, ``x <= threshold`` and ``x <= round_down(threshold)`` are then the same.
    """
    limit = np.finfo(np.float32).max
    near = np.clip(threshold, -limit, limit).astype(np.float32)
    with np.errstate(over="ignore"):  # below the smallest there is only -inf, which nothing but itself is at most
        lower: np.ndarray = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return lower.astype(np.float32)


def checked(trees: Trees, features: int, name: str) -> Trees:
    """Return the trees, or raise `Tampered` where an array has a wrong size or points outside.

    A child must come after its parent and belong to the same tree, so that no walk goes astray or for ever.
    """
    inner, leaves = len(trees.feature), len(trees.value)
    sizes = {len(trees.threshold), len(trees.test), len(trees.missing_left), len(trees.left), len(trees.right)}
    tree = np.repeat(np.arange(len(trees.inner)), np.maximum(trees.inner, 0))
    sound = (
        sizes == {inner}
        and len(trees.inner) == len(trees.leaves) == len(trees.output)
        and bool((trees.inner >= 0).all() and (trees.leaves >= 1).all())
        and trees.inner.sum() == inner
        and trees.leaves.sum() == leaves
        and _within(trees.feature, features)
        and _within(trees.output, trees.outputs)
        and not np.isnan(trees.threshold).any()
        and bool(np.isfinite(trees.value).all() and np.isfinite(trees.base).all())
    )
    if sound:
        last_inner, last_leaf = np.cumsum(trees.inner), np.cumsum(trees.leaves)
        for child in (trees.left, trees.right):
            is_leaf = child < 0
            node, leaf = child[~is_leaf], ~child[is_leaf]
            after = np.arange(inner)[~is_leaf]
            sound = sound and bool(((node > after) & (node < last_inner[tree[~is_leaf]])).all())
            first = (last_leaf - trees.leaves)[tree[is_leaf]]
            sound = sound and bool(((leaf >= first) & (leaf < last_leaf[tree[is_leaf]])).all())
    if not sound:
        raise Tampered(
            f"the trees in {name} do not hold together",
            seen=f"{len(trees.inner)} trees of {inner} inner nodes and {leaves} leaves over {features} features",
            remedy="Load the model from an undamaged copy, or fit it again.",
        )
    return trees


def _within(values: np.ndarray, below: int) -> bool:
    return not values.size or bool(values.min() >= 0 and values.max() < below)


def collapsed(trees: Trees) -> Trees:
    """Return the same function in fewer nodes: where both ways lead to leaves of one value, one leaf is left.

    Trees that split a whole level at once (CatBoost's) have many such leaves, which saw no row in training.
    """
    value = trees.value.reshape(len(trees.value), -1)
    child = np.stack([trees.left, trees.right])
    alive = np.ones(len(trees.feature), dtype=bool)
    replaced = np.arange(len(trees.feature))  # what a parent should point at instead
    while True:
        is_leaf = (child < 0).all(axis=0) & alive
        candidates = np.flatnonzero(is_leaf)
        same = (value[~child[0, candidates]] == value[~child[1, candidates]]).all(axis=1)
        gone = candidates[same]
        if not len(gone):
            break
        alive[gone] = False
        replaced[gone] = child[0, gone]
        child = np.where(child >= 0, replaced[np.maximum(child, 0)], child)
    return _compacted(trees, child, alive, replaced)


def _compacted(trees: Trees, child: np.ndarray, alive: np.ndarray, replaced: np.ndarray) -> Trees:
    tree_of_node = np.repeat(np.arange(len(trees.inner)), trees.inner)
    tree_of_leaf = np.repeat(np.arange(len(trees.leaves)), trees.leaves)
    used = np.zeros(len(trees.value), dtype=bool)
    reached = child[:, alive]
    used[~reached[reached < 0]] = True
    first_inner, first_leaf = np.cumsum(trees.inner) - trees.inner, np.cumsum(trees.leaves) - trees.leaves
    for tree in np.flatnonzero(np.bincount(tree_of_node[alive], minlength=len(trees.inner)) == 0):
        root = replaced[first_inner[tree]] if trees.inner[tree] else ~first_leaf[tree]
        used[~root] = True
    new_node, new_leaf = np.cumsum(alive) - 1, np.cumsum(used) - 1
    moved = np.where(reached >= 0, new_node[np.maximum(reached, 0)], ~new_leaf[np.maximum(~reached, 0)])
    return Trees(
        feature=trees.feature[alive],
        threshold=trees.threshold[alive],
        test=trees.test[alive],
        missing_left=trees.missing_left[alive],
        left=moved[0],
        right=moved[1],
        inner=np.bincount(tree_of_node[alive], minlength=len(trees.inner)),
        leaves=np.bincount(tree_of_leaf[used], minlength=len(trees.leaves)),
        output=trees.output,
        value=trees.value[used],
        base=trees.base,
    )


def to_graph(trees: Trees, graph: Graph, features: str) -> str:
    """Add one ``TreeEnsembleRegressor`` (ai.onnx.ml, since version 3; gone in 5) and return its output, (n, outputs).

    Its successor ``TreeEnsemble`` has one value a leaf and so cannot hold vector leaves; onnxruntime runs both
    equally fast.
    """
    tensor: str = graph.node(
        "TreeEnsembleRegressor",
        features,
        domain="ai.onnx.ml",
        n_targets=trees.outputs,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=trees.base.astype(np.float32).tolist(),
        **_attributes(trees),
    )
    return tensor


def _attributes(trees: Trees) -> dict[str, Any]:
    """Return the node's parallel lists; in each tree the inner nodes come first, then the leaves."""
    inner, leaves = trees.inner, trees.leaves
    start = np.cumsum(inner + leaves) - (inner + leaves)
    first_inner, first_leaf = np.cumsum(inner) - inner, np.cumsum(leaves) - leaves
    tree_of_node, tree_of_leaf = np.repeat(np.arange(len(inner)), inner), np.repeat(np.arange(len(leaves)), leaves)
    node_id = np.arange(len(trees.feature)) - first_inner[tree_of_node]
    leaf_id = np.arange(len(trees.value)) - first_leaf[tree_of_leaf] + inner[tree_of_leaf]
    node_place, leaf_place = start[tree_of_node] + node_id, start[tree_of_leaf] + leaf_id
    total = int((inner + leaves).sum())

    def spread(at_nodes: np.ndarray, dtype: Any) -> np.ndarray:
        values = np.zeros(total, dtype=dtype)
        values[node_place] = at_nodes
        return values

    def child_id(child: np.ndarray) -> np.ndarray:
        is_leaf = child < 0
        local = np.empty(len(child), dtype=np.int64)
        local[~is_leaf] = node_id[child[~is_leaf]]
        local[is_leaf] = leaf_id[~child[is_leaf]]
        return local

    ids = spread(node_id, np.int64)
    ids[leaf_place] = leaf_id
    modes = np.full(total, "LEAF", dtype=object)
    modes[node_place] = np.array(_MODES, dtype=object)[trees.test]
    wide = trees.value.ndim == 2
    targets = np.tile(np.arange(trees.outputs), len(trees.value)) if wide else trees.output[tree_of_leaf]
    repeats = trees.outputs if wide else 1
    return {
        "nodes_treeids": np.repeat(np.arange(len(inner)), inner + leaves).tolist(),
        "nodes_nodeids": ids.tolist(),
        "nodes_featureids": spread(trees.feature, np.int64).tolist(),
        "nodes_modes": modes.tolist(),
        "nodes_values": spread(trees.threshold, np.float32).tolist(),
        "nodes_truenodeids": spread(child_id(trees.left), np.int64).tolist(),
        "nodes_falsenodeids": spread(child_id(trees.right), np.int64).tolist(),
        "nodes_missing_value_tracks_true": spread(trees.missing_left, np.int64).tolist(),
        "target_treeids": np.repeat(tree_of_leaf, repeats).tolist(),
        "target_nodeids": np.repeat(leaf_id, repeats).tolist(),
        "target_ids": targets.tolist(),
        "target_weights": trees.value.astype(np.float32).reshape(-1).tolist(),
    }


def session(trees: Trees, threads: int) -> Any:
    """Return an ONNX Runtime session that sums the trees: from ``features``, float32, to (n, outputs)."""
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["sum"],
        domain="ai.onnx.ml",
        n_targets=trees.outputs,
        base_values=trees.base.astype(np.float32).tolist(),
        **_attributes(trees),
    )
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in (("features", None), ("sum", trees.outputs))
    ]
    graph = helper.make_graph([node], "trees", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
