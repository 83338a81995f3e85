"""XGBoost's JSON format (version 2 and 3), read into `luban.learners.trees.Trees`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.learners.payloads import damaged
from luban.learners.trees import BELOW, Trees, checked

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(model: Mapping[str, Any], features: int, outputs: int) -> Trees:
    """Return the trees of a parsed JSON model without categorical splits.

    Raises
    ------
    Tampered
        If it is not what XGBoost writes, or its trees point outside.
    """
    try:
        return checked(_read(model["learner"], outputs), features, "the XGBoost model")
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise damaged("the XGBoost model", repr(error)) from error


def _read(learner: Mapping[str, Any], outputs: int) -> Trees:
    booster = learner["gradient_booster"]["model"]
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in ("feature", "threshold", "missing_left", "left", "right", "value")
    }
    inner, leaves = [], []
    first_inner = first_leaf = 0
    for tree in booster["trees"]:
        if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise damaged("the XGBoost model", "a categorical split or a vector leaf")
        left, right = (np.array(tree[key], dtype=np.int64) for key in ("left_children", "right_children"))
        split = left >= 0
        # Nodes are numbered through; here inner nodes and leaves count apart.
        number = np.where(split, np.cumsum(split) - 1 + first_inner, ~(np.cumsum(~split) - 1 + first_leaf))
        condition = np.array(tree["split_conditions"], dtype=np.float32)
        parts["feature"].append(np.array(tree["split_indices"], dtype=np.int64)[split])
        parts["threshold"].append(condition[split])
        parts["missing_left"].append(np.array(tree["default_left"], dtype=bool)[split])
        parts["left"].append(number[left[split]])
        parts["right"].append(number[right[split]])
        parts["value"].append(condition[~split].astype(np.float64))
        inner.append(int(split.sum()))
        leaves.append(int((~split).sum()))
        first_inner += inner[-1]
        first_leaf += leaves[-1]
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Trees(
        **joined,
        test=np.full(first_inner, BELOW, dtype=np.uint8),
        inner=np.array(inner),
        leaves=np.array(leaves),
        output=np.array(booster["tree_info"], dtype=np.int64),
        base=_base(learner, outputs),
    )


def _base(learner: Mapping[str, Any], outputs: int) -> np.ndarray:
    """Return what the sum of the trees starts from: one number in version 2, one an output in version 3."""
    text = learner["learner_model_param"]["base_score"]
    score = np.atleast_1d(np.array(json.loads(text), dtype=np.float64))
    if learner["objective"]["name"] == "binary:logistic":  # stored as a probability
        score = np.log(score / (1.0 - score))
    return np.broadcast_to(score, (outputs,))
