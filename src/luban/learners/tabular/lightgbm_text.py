"""LightGBM's text format (version v4), read into `luban.learners.trees.Trees`.

The meaning of ``decision_type`` and of missing values follows ``include/LightGBM/tree.h`` of LightGBM 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.learners.payloads import damaged
from luban.learners.trees import AT_MOST, Trees, checked, round_down

if TYPE_CHECKING:
    from collections.abc import Iterable

_TREE = re.compile(r"^Tree=\d+\n(.*?)(?=^Tree=|^end of trees)", re.MULTILINE | re.DOTALL)
_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
_MISSING_IS_NAN, _MISSING_IS_ZERO = 8, 4


@dataclass
class _Arrays:
    """One tree, its children counted from its own root."""

    feature: np.ndarray
    threshold: np.ndarray
    test: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    mostly_left: np.ndarray


def read(texts: Iterable[str], features: int, outputs: int) -> Trees:
    """Return the trees of one model text, or of several of which each makes the next output.

    Raises
    ------
    Tampered
        If a text is not what LightGBM writes, or its trees point outside.
    """
    trees: list[_Arrays] = []
    output: list[int] = []
    for place, text in enumerate(texts):
        found = [_tree(match.group(1)) for match in _TREE.finditer(text)]
        width = _header(text, "num_tree_per_iteration")
        promised = re.search(r"^tree_sizes=(.*)$", text, re.MULTILINE)
        whole = promised is not None and len(promised.group(1).split()) == len(found) > 0
        if not whole or _header(text, "max_feature_idx") >= features or width > outputs:
            raise damaged("the LightGBM text", f"{len(found)} trees of width {width}")
        trees += found
        output += [place + index % width for index in range(len(found))]
    return checked(_joined(trees, output, outputs), features, "the LightGBM text")


def _header(text: str, key: str) -> int:
    match = re.search(rf"^{key}=(\d+)$", text, re.MULTILINE)
    if match is None:
        raise damaged("the LightGBM text", f"no {key}")
    return int(match.group(1))


def _tree(body: str) -> _Arrays:
    fields = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)

    def numbers(key: str, dtype: type) -> np.ndarray:
        try:
            return np.array(fields.get(key, "").split(), dtype=np.float64).astype(dtype)
        except ValueError as error:
            raise damaged("the LightGBM text", f"{key}: {error}") from error

    kind = numbers("decision_type", np.int64)
    threshold = numbers("threshold", np.float64)
    feature, left, right = (numbers(key, np.int64) for key in ("split_feature", "left_child", "right_child"))
    if not len(kind) == len(threshold) == len(feature) == len(left) == len(right):
        raise damaged("the LightGBM text", "the arrays of a tree differ in length")
    # NaN goes the default way where it was seen in training; where it was not, it counts as zero.
    default_left = (kind & _DEFAULT_LEFT) > 0
    if ((kind & _MISSING) == _MISSING_IS_ZERO).any():
        raise damaged("the LightGBM text", "a tree that takes zero for missing")
    as_nan = (kind & _MISSING) == _MISSING_IS_NAN
    tree = _Arrays(
        feature=feature,
        threshold=round_down(threshold),
        test=np.full(len(kind), AT_MOST, dtype=np.uint8),
        missing_left=np.where(as_nan, default_left, threshold >= 0),
        left=left,
        right=right,
        value=numbers("leaf_value", np.float64),
        mostly_left=_mostly_left(left, right, numbers("internal_count", np.float64), numbers("leaf_count", np.float64)),
    )
    categorical = np.flatnonzero(kind & _CATEGORICAL)
    if not len(categorical):
        return tree
    boundaries, words = numbers("cat_boundaries", np.int64), numbers("cat_threshold", np.int64)
    return _with_chains(tree, categorical, threshold, boundaries, words)


def _mostly_left(left: np.ndarray, right: np.ndarray, inner: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """Return whether most training rows of each node went left."""
    if len(inner) != len(left) or len(leaves) != len(left) + 1 or not len(left):
        return np.zeros(len(left), dtype=bool)
    rows = np.concatenate([inner, leaves[::-1]])  # ~leaf counts from the end
    inside = (np.minimum(left, right) >= -len(leaves)) & (np.maximum(left, right) < len(inner))
    return np.asarray(inside & (rows[np.where(inside, left, 0)] > rows[np.where(inside, right, 0)]))


def _with_chains(
    tree: _Arrays, categorical: np.ndarray, place: np.ndarray, boundaries: np.ndarray, words: np.ndarray
) -> _Arrays:
    """Return the tree with each set of categories as a chain of nodes ``feature <= code``, one an end of a run.

    Left and right of the set are each the child of several nodes of its chain. A chain stands where its set stood, so
    that children still come after their parents.
    """
    chains = {int(node): _ends(_codes(int(place[node]), boundaries, words)) for node in categorical}
    length = np.ones(len(tree.feature), dtype=np.int64)
    for node, ends in chains.items():
        length[node] = len(ends)
    first = np.cumsum(length) - length
    source = np.repeat(np.arange(len(length)), length)

    def moved(child: np.ndarray) -> np.ndarray:
        if child.size and child.max() >= len(first):
            raise damaged("the LightGBM text", "a child outside its tree")
        return np.where(child >= 0, first[np.maximum(child, 0)], child)

    longer = _Arrays(
        feature=tree.feature[source],
        threshold=tree.threshold[source],
        test=tree.test[source],
        missing_left=tree.missing_left[source],
        left=moved(tree.left)[source],
        right=moved(tree.right)[source],
        value=tree.value,
        mostly_left=tree.mostly_left[source],
    )
    for node, ends in chains.items():
        span = slice(first[node], first[node] + len(ends))
        longer.threshold[span] = [code for code, _ in ends]
        longer.missing_left[span] = False
        longer.mostly_left[span] = False
        # Below a run is not in the set, up to its end is; above the last one is not.
        longer.left[span] = np.where([within for _, within in ends], longer.left[span], longer.right[span])
        longer.right[span][:-1] = np.arange(first[node] + 1, first[node] + len(ends))
    return longer


def _ends(codes: list[int]) -> list[tuple[int, bool]]:
    """Return the codes, ascending, up to which a code is in the set or not (unless it was decided before)."""
    ends: list[tuple[int, bool]] = []
    for code in codes:
        if ends and ends[-1] == (code - 1, True):
            ends.pop()
        elif code > 0:
            ends.append((code - 1, False))
        ends.append((code, True))
    return ends


def _codes(place: int, boundaries: np.ndarray, words: np.ndarray) -> list[int]:
    if not 0 <= place < len(boundaries) - 1:
        raise damaged("the LightGBM text", "a set of categories outside the list")
    start, end = boundaries[place], boundaries[place + 1]
    if not 0 <= start < end <= len(words):
        raise damaged("the LightGBM text", "a set of categories outside the list")
    codes = [
        32 * index + bit for index, word in enumerate(words[start:end].tolist()) for bit in range(32) if word >> bit & 1
    ]
    if not codes:
        raise damaged("the LightGBM text", "an empty set of categories")
    return codes


def _joined(trees: list[_Arrays], output: list[int], outputs: int) -> Trees:
    inner = np.array([len(tree.feature) for tree in trees])
    leaves = np.array([len(tree.value) for tree in trees])
    first_inner, first_leaf = np.cumsum(inner) - inner, np.cumsum(leaves) - leaves

    def children(side: str) -> np.ndarray:
        parts = [
            np.where(child >= 0, child + node, child - leaf)
            for child, node, leaf in zip((getattr(tree, side) for tree in trees), first_inner, first_leaf, strict=True)
        ]
        return np.concatenate(parts)

    return Trees(
        feature=np.concatenate([tree.feature for tree in trees]),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        test=np.concatenate([tree.test for tree in trees]),
        missing_left=np.concatenate([tree.missing_left for tree in trees]),
        left=children("left"),
        right=children("right"),
        inner=inner,
        leaves=leaves,
        output=np.array(output),
        value=np.concatenate([tree.value for tree in trees]),
        base=np.zeros(outputs),
        mostly_left=np.concatenate([tree.mostly_left for tree in trees]),
    )
