"""From margins to predictions: what every learner's raw output goes through, with NumPy and as ONNX nodes.

A margin is the log-odds of the positive class for two classes, shape (n, 1); one logit a class for more,
shape (n, K); the prediction itself for regression, (n, 1), and for quantiles, (n, Q).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from luban.core.protocols import Graph
    from luban.core.task import Task

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1 where their logarithm is taken."""

_OF_DECISIONS = frozenset(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "precision", "recall", "matthews_corrcoef")
)


def width(task: Task) -> int:
    """Return how many margins a row has."""
    return 1 if task.kind == "binary" else task.outputs


def predictions(task: Task, margins: np.ndarray) -> np.ndarray:
    """Return what `Model.predict` returns for these margins."""
    margins = np.asarray(margins, dtype=np.float64)
    if task.kind == "binary":
        positive = sigmoid(margins[:, 0])
        return np.column_stack([1.0 - positive, positive])
    if task.kind == "multiclass":
        return softmax(margins)
    if task.kind == "quantile":
        return np.asarray(np.sort(margins, axis=1))
    return np.asarray(margins[:, 0])


def margins(task: Task, probabilities: np.ndarray) -> np.ndarray:
    """Return the margins of predicted probabilities: the inverse of `predictions` for classes."""
    safe = np.clip(probabilities, SMALLEST, 1.0 - SMALLEST)
    if task.kind == "binary":
        return np.asarray(np.log(safe[:, 1:] / (1.0 - safe[:, 1:])))
    return np.asarray(np.log(safe))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-values)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1.0, small) / (1.0 + small))


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the softmax along each row."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def predictions_to_graph(task: Task, graph: Graph, margin: str) -> str:
    """Add the nodes of `predictions`; the result has shape (n, 1) for regression."""
    tensor: str
    if task.kind == "binary":
        positive = graph.node("Sigmoid", margin)
        negative = graph.node("Sub", graph.constant(np.ones(1, dtype=np.float32)), positive)
        tensor = graph.node("Concat", negative, positive, axis=1)
    elif task.kind == "multiclass":
        tensor = graph.node("Softmax", margin, axis=1)
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
    else:
        logarithm = graph.node("Log", safe)
    return logarithm


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
