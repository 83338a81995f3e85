"""Decision trees of any origin as flat arrays.

The learners that grow trees each read their own library's format into `Trees`; the way from there to ONNX is one
(`luban.learners.tree_nodes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from luban.core.errors import Tampered

AT_MOST, BELOW = 0, 1
"""Tests of a node: the left child is taken where the feature is <= or < its threshold."""


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
        Shape (inner nodes,), uint8: `AT_MOST` or `BELOW`.
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
    mostly_left : numpy.ndarray, optional
        Shape (inner nodes,), bool: whether most training rows that reached the node went left; None where that is not
        known. It changes no sum, only how fast it is found.
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
    mostly_left: np.ndarray | None = None

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
    if trees.mostly_left is not None:
        sizes.add(len(trees.mostly_left))
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
