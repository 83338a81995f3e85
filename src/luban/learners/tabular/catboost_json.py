"""CatBoost's JSON format, read into `luban.learners.symmetric.SymmetricTrees`: oblivious trees over numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners.payloads import damaged
from luban.learners.symmetric import SymmetricTrees, checked

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(model: Mapping[str, Any], features: int, outputs: int) -> SymmetricTrees:
    """Return the trees of a parsed JSON model whose features are all numbers.

    Missing values pass no test: they count as smaller than everything.

    Raises
    ------
    Tampered
        If it is not what CatBoost writes, or its trees point outside.
    """
    try:
        return checked(_read(model, outputs), features, "the CatBoost model")
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise damaged("the CatBoost model", repr(error)) from error


def _read(model: Mapping[str, Any], outputs: int) -> SymmetricTrees:
    place = [one["flat_feature_index"] for one in model["features_info"]["float_features"]]
    scale, bias = model["scale_and_bias"]
    grown = model["oblivious_trees"]
    levels = max(1, *(len(tree["splits"] or ()) for tree in grown))
    feature: np.ndarray = np.zeros((levels, len(grown)), dtype=np.int64)
    threshold: np.ndarray = np.full((levels, len(grown)), np.inf, dtype=np.float32)
    value: np.ndarray = np.zeros((len(grown), 2**levels, outputs))
    for number, tree in enumerate(grown):
        # The first split is the lowest bit of a leaf's number.
        splits = tree["splits"] or []
        feature[: len(splits), number] = [place[one["float_feature_index"]] for one in splits]
        threshold[: len(splits), number] = [one["border"] for one in splits]
        value[number, : 2 ** len(splits)] = np.reshape(tree["leaf_values"], (2 ** len(splits), outputs))
    return SymmetricTrees(
        feature=feature,
        threshold=threshold,
        value=value * scale,
        base=np.broadcast_to(np.array(bias, dtype=np.float64), (outputs,)),
    )
