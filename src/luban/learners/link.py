"""From margins to predictions: what every learner's raw output goes through, with NumPy and as ONNX nodes.

A margin is the log-odds of the positive class for two classes, shape (n, 1); one logit a class for more,
shape (n, K), or a word, (n, L, K), NaN where there is none; the log-odds of each label, (n, K); the prediction itself
for regression, (n, 1), and for quantiles, (n, Q).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.protocols import Graph
    from luban.core.task import Task

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1 where their logarithm is taken."""

_OF_DECISIONS = frozenset(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "precision", "recall", "matthews_corrcoef")
)
_SHARED = ("multiclass", "matching")


def width(task: Task) -> int:
    """Return how many margins a row has."""
    return 1 if task.kind == "binary" else task.outputs


def predictions(task: Task, margins: np.ndarray) -> np.ndarray:
    """Return what `Model.predict` returns for these margins."""
    margins = np.asarray(margins, dtype=np.float64)
    if task.kind == "binary":
        positive = sigmoid(margins[:, 0])
        return np.column_stack([1.0 - positive, positive])
    if task.kind in _SHARED:
        return softmax(margins)
    if task.kind == "multilabel":
        return sigmoid(margins)
    if task.kind == "tokens":
        return trimmed(softmax(margins))
    if task.kind == "quantile":
        return np.asarray(np.sort(margins, axis=1))
    return np.asarray(margins[:, 0])


def margins(task: Task, probabilities: np.ndarray) -> np.ndarray:
    """Return the margins of predicted probabilities: the inverse of `predictions` for classes."""
    safe = np.clip(probabilities, SMALLEST, 1.0 - SMALLEST)
    if task.kind == "binary":
        return np.asarray(np.log(safe[:, 1:] / (1.0 - safe[:, 1:])))
    if task.kind == "multilabel":
        return np.asarray(np.log(safe / (1.0 - safe)))
    return np.asarray(np.log(safe))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-values)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1.0, small) / (1.0 + small))


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the softmax along the last axis; NaN where a value is."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def no_margins(task: Task) -> np.ndarray:
    """Return the margins of no rows."""
    return np.zeros((0, 0, width(task)) if task.kind == "tokens" else (0, width(task)))


def trimmed(values: np.ndarray) -> np.ndarray:
    """Return values of words, shape (n, L, K), for as many words as the longest row has."""
    used = np.flatnonzero(np.isfinite(values).any(axis=(0, 2)))
    return np.asarray(values[:, : used[-1] + 1 if len(used) else 0])


def blend(task: Task, shares: Sequence[float] | np.ndarray, predictions: Sequence[np.ndarray]) -> np.ndarray:
    """Return the weighted mean of predictions; a word is judged by the members that have read it."""
    if task.kind != "tokens":
        total = shares[0] * predictions[0]
        for share, one in zip(shares[1:], predictions[1:], strict=True):
            total = total + share * one
        return np.asarray(total)
    stack = of_one_length(predictions)
    summed = np.tensordot(np.asarray(shares), np.nan_to_num(stack), axes=1)
    known = np.tensordot(np.asarray(shares), np.isfinite(stack).astype(np.float64), axes=1)
    return np.asarray(np.divide(summed, known, out=np.full(summed.shape, np.nan), where=known > 0))


def of_one_length(predictions: Sequence[np.ndarray]) -> np.ndarray:
    """Return predictions of words as one array, (models, n, L, K), NaN behind what a model has read."""
    most = max(one.shape[1] for one in predictions)
    padded = [np.pad(one, ((0, 0), (0, most - one.shape[1]), (0, 0)), constant_values=np.nan) for one in predictions]
    return np.stack(padded)


def predictions_to_graph(task: Task, graph: Graph, margin: str) -> str:
    """Add the nodes of `predictions`; the result has shape (n, 1) for regression."""
    tensor: str
    if task.kind == "binary":
        positive = graph.node("Sigmoid", margin)
        negative = graph.node("Sub", graph.constant(np.ones(1, dtype=np.float32)), positive)
        tensor = graph.node("Concat", negative, positive, axis=1)
    elif task.kind in _SHARED or task.kind == "tokens":
        tensor = graph.node("Softmax", margin, axis=-1)
    elif task.kind == "multilabel":
        tensor = graph.node("Sigmoid", margin)
    elif task.kind == "quantile":
        tensor = sorted_rows(graph, margin, len(task.quantiles))
    else:
        tensor = margin
    return tensor


def margins_to_graph(task: Task, graph: Graph, probabilities: str) -> str:
    """Add the nodes of `margins`."""
    limits = [graph.constant(np.array(value, dtype=np.float32)) for value in (SMALLEST, 1.0 - SMALLEST)]
    safe = graph.node("Clip", probabilities, *limits)
    logarithm: str
    if task.kind == "binary":
        positive = graph.node("Gather", safe, graph.constant(np.array([1], dtype=np.int64)), axis=1)
        rest = graph.node("Sub", graph.constant(np.ones(1, dtype=np.float32)), positive)
        logarithm = graph.node("Log", graph.node("Div", positive, rest))
    elif task.kind == "multilabel":
        rest = graph.node("Sub", graph.constant(np.ones(1, dtype=np.float32)), safe)
        logarithm = graph.node("Log", graph.node("Div", safe, rest))
    else:
        logarithm = graph.node("Log", safe)
    if task.kind == "tokens":  # what is clipped need not be NaN any more
        logarithm = graph.node("Where", graph.node("IsNaN", probabilities), probabilities, logarithm)
    return logarithm


def blend_to_graph(graph: Graph, shares: Sequence[float], tensors: Sequence[str]) -> str:
    """Add the nodes of `blend` for tokens, shape (n, L, K)."""
    zero, nothing = (graph.constant(np.array(value, dtype=np.float32)) for value in (0.0, np.nan))
    sizes = [graph.node("Shape", one, start=1, end=2) for one in tensors]
    most = sizes[0] if len(sizes) == 1 else graph.node("Max", *sizes)
    sums, weights = [], []
    for share, tensor, size in zip(shares, tensors, sizes, strict=True):
        missing = graph.node("Sub", most, size)
        before = graph.constant(np.zeros(4, dtype=np.int64))
        after = graph.constant(np.zeros(1, dtype=np.int64))
        pads = graph.node("Concat", before, missing, after, axis=0)
        whole = graph.node("Pad", tensor, pads, nothing)
        absent = graph.node("IsNaN", whole)
        weight = graph.constant(np.array(share, dtype=np.float32))
        sums.append(graph.node("Mul", graph.node("Where", absent, zero, whole), weight))
        weights.append(graph.node("Where", absent, zero, weight))
    total, known = (one[0] if len(one) == 1 else graph.node("Sum", *one) for one in (sums, weights))
    mean: str = graph.node("Div", total, known)  # 0 / 0 is NaN, where no member has read the word
    return mean


def sorted_rows(graph: Graph, tensor: str, columns: int) -> str:
    """Add the nodes that sort each row in ascending order."""
    if columns == 1:
        return tensor
    count = graph.constant(np.array([columns], dtype=np.int64))
    values, _ = graph.node("TopK", tensor, count, outputs=2, axis=1, largest=0, sorted=1)
    result: str = values
    return result


def decisions_wanted(task: Task) -> bool:
    """Return whether the task's metric judges the class that is predicted and not how likely it was said to be."""
    return task.metric in _OF_DECISIONS


def median_wanted(task: Task) -> bool:
    """Return whether the task's metric is at its best for the median rather than the mean."""
    return task.metric in ("mae", "median_absolute_error")
