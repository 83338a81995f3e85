"""Sums of decision trees in TensorFlow: all rows go down all trees at once, a level a step.

A leaf leads to itself, so that after as many steps as the deepest tree has levels every row has arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

_TESTS = {b"BRANCH_LEQ": 0, b"BRANCH_LT": 1, b"LEAF": 0}


def tree_sums(tf: Any, attributes: Mapping[str, Any], features: Any) -> Any:
    """Return what ``TreeEnsembleRegressor`` (ai.onnx.ml 3) returns: for each row the sum of its leaves."""
    trees, roots, depth = _arranged(attributes)
    features = tf.convert_to_tensor(features)
    feature, threshold, strict, nan_left = (trees[one] for one in ("feature", "threshold", "strict", "nan_left"))
    left, right = trees["left"], trees["right"]
    place = tf.tile(roots[None, :], tf.stack([tf.shape(features)[0], 1]))

    def step(level: Any, place: Any) -> tuple[Any, Any]:
        value = tf.gather(features, tf.gather(feature, place), batch_dims=1)
        limit = tf.gather(threshold, place)
        passes = tf.where(tf.gather(strict, place), value < limit, value <= limit)
        passes = passes | (tf.math.is_nan(value) & tf.gather(nan_left, place))
        return level + 1, tf.where(passes, tf.gather(left, place), tf.gather(right, place))

    _, place = tf.while_loop(lambda level, _place: level < depth, step, (0, place))
    sums = tf.reduce_sum(tf.gather(trees["weight"], place), axis=1)
    return sums + np.asarray(attributes.get("base_values", [0.0]), dtype=np.float32)


def _arranged(attributes: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
    """Return the nodes of all trees as arrays, the places of the roots, and how many levels there are at most."""
    modes = [_TESTS.get(mode if isinstance(mode, bytes) else mode.encode()) for mode in attributes["nodes_modes"]]
    plain = attributes.get("aggregate_function", b"SUM") in {b"SUM", "SUM"}
    if None in modes or not plain or attributes.get("post_transform", b"NONE") not in {b"NONE", "NONE"}:
        raise Unsupported("trees with other tests or sums have no form in TensorFlow here")
    tree, node = (np.asarray(attributes[f"nodes_{one}"], dtype=np.int64) for one in ("treeids", "nodeids"))
    width = int(node.max()) + 1
    keys = tree * width + node
    order = np.argsort(keys, kind="stable")

    def placed(trees: np.ndarray, nodes: Any) -> np.ndarray:
        wanted = trees * width + np.asarray(nodes, dtype=np.int64)
        return np.asarray(order[np.searchsorted(keys, wanted, sorter=order)], dtype=np.int32)

    leaf = np.array([mode in {"LEAF", b"LEAF"} for mode in attributes["nodes_modes"]])
    own = np.arange(len(tree), dtype=np.int32)
    left = np.where(leaf, own, placed(tree, np.where(leaf, node, attributes["nodes_truenodeids"])))
    right = np.where(leaf, own, placed(tree, np.where(leaf, node, attributes["nodes_falsenodeids"])))
    weight: np.ndarray = np.zeros((len(tree), attributes["n_targets"]), dtype=np.float32)
    ends = placed(np.asarray(attributes["target_treeids"], dtype=np.int64), attributes["target_nodeids"])
    np.add.at(
        weight, (ends, np.asarray(attributes["target_ids"])), np.asarray(attributes["target_weights"], np.float32)
    )
    child = np.zeros(len(tree), dtype=bool)
    child[left[~leaf]] = child[right[~leaf]] = True
    tracks = attributes.get("nodes_missing_value_tracks_true") or np.zeros(len(tree))
    arrays = {
        "feature": np.where(leaf, 0, attributes["nodes_featureids"]).astype(np.int32),
        "threshold": np.asarray(attributes["nodes_values"], dtype=np.float32),
        "strict": np.asarray(modes) == 1,
        "nan_left": np.asarray(tracks, dtype=bool),
        "left": left.astype(np.int32),
        "right": right.astype(np.int32),
        "weight": weight,
    }
    roots = np.flatnonzero(~child).astype(np.int32)
    return arrays, roots, _depth(roots, left, right, leaf)


def _depth(roots: np.ndarray, left: np.ndarray, right: np.ndarray, leaf: np.ndarray) -> int:
    """Return the number of steps from the roots to the farthest leaf."""
    level, here = 0, roots[~leaf[roots]]
    while len(here):
        here = np.unique(np.concatenate([left[here], right[here]]))
        here = here[~leaf[here]]
        level += 1
    return level
