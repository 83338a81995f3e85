"""CatBoost's JSON format, read into `luban.learners.trees.Trees`: oblivious trees over numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners.payloads import damaged
from luban.learners.trees import AT_MOST, Trees, checked, collapsed

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class _Shape:
    """A complete binary tree of one depth: for each inner node its level, and its children."""

    level: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, depth: int) -> _Shape:
        node = np.arange(2**depth - 1)
        children = np.stack([2 * node + 1, 2 * node + 2])
        inner = children < len(node)
        left, right = np.where(inner, children, ~(children - len(node)))
        return cls(np.floor(np.log2(node + 1)).astype(np.int64), left, right)


def read(model: Mapping[str, Any], features: int, outputs: int) -> Trees:
    """Return the trees of a parsed JSON model whose features are all numbers, without their empty leaves.

    Missing values go left: they count as smaller than everything.

    Raises
    ------
    Tampered
        If it is not what CatBoost writes, or its trees point outside.
    """
    try:
        return collapsed(checked(_read(model, outputs), features, "the CatBoost model"))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise damaged("the CatBoost model", repr(error)) from error


def _read(model: Mapping[str, Any], outputs: int) -> Trees:
    place = [one["flat_feature_index"] for one in model["features_info"]["float_features"]]
    scale, bias = model["scale_and_bias"]
    grown = model["oblivious_trees"]
    shapes = {depth: _Shape.of(depth) for depth in {len(tree["splits"] or ()) for tree in grown}}
    feature, threshold, left, right, value, inner, leaves, likelier = ([] for _ in range(8))  # type: ignore[var-annotated]
    first_inner = first_leaf = 0
    for tree in grown:
        # The first split is the lowest bit of a leaf's number, so the last one is at the root.
        splits = (tree["splits"] or [])[::-1]
        shape = shapes[len(splits)]
        split_feature = np.array([place[one["float_feature_index"]] for one in splits], dtype=np.int64)
        border = np.array([one["border"] for one in splits], dtype=np.float32)
        feature.append(split_feature[shape.level])
        threshold.append(border[shape.level])
        for children, side in ((left, shape.left), (right, shape.right)):
            children.append(np.where(side >= 0, side + first_inner, side - first_leaf))
        value.append(np.array(tree["leaf_values"], dtype=np.float64).reshape(2 ** len(splits), outputs))
        inner.append(len(shape.level))
        leaves.append(2 ** len(splits))
        rows = np.array(tree.get("leaf_weights") or np.zeros(2 ** len(splits)), dtype=np.float64)
        likelier.append(_mostly_left(rows.reshape(2 ** len(splits))))
        first_inner += inner[-1]
        first_leaf += leaves[-1]
    values = np.concatenate(value) * scale
    count = first_inner
    return Trees(
        feature=np.concatenate(feature),
        threshold=np.concatenate(threshold),
        test=np.full(count, AT_MOST, dtype=np.uint8),
        missing_left=np.ones(count, dtype=bool),
        left=np.concatenate(left),
        right=np.concatenate(right),
        inner=np.array(inner),
        leaves=np.array(leaves),
        output=np.zeros(len(inner), dtype=np.int64),
        value=values[:, 0] if outputs == 1 else values,
        base=np.broadcast_to(np.array(bias, dtype=np.float64), (outputs,)),
        mostly_left=np.concatenate(likelier),
    )


def _mostly_left(leaves: np.ndarray) -> np.ndarray:
    """Return for each inner node of a complete tree, the root first, whether its left leaves hold more rows."""
    levels = []
    while len(leaves) > 1:
        pairs = leaves.reshape(-1, 2)
        levels.append(pairs[:, 0] > pairs[:, 1])
        leaves = pairs.sum(axis=1)
    return np.concatenate([np.zeros(0, dtype=bool), *levels[::-1]])
