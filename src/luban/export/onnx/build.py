"""One ONNX graph from the raw columns to the label: preprocessing, ensemble, calibration, threshold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported
from luban.core.protocols import Exportable
from luban.core.serial import to_json
from luban.export.onnx.graph import ROWS, OnnxGraph
from luban.learners.decisions import HALF
from luban.learners.predictions import label_values
from luban.version import __version__

if TYPE_CHECKING:
    from luban.core.task import Task

WORDS = "words"


def build(fitted: Any) -> bytes:
    """Return a fitted model as a serialised ONNX graph.

    The inputs are the input columns, one tensor of shape (rows, 1) each. The outputs are

    - classes: ``prediction`` (rows,), the label; ``probabilities`` (rows, K), in the order of the classes;
    - matching: the same; whether an answer is given is for ``answered`` (rows,) to say;
    - multilabel: ``prediction`` (rows, K), whether each label is given; ``probabilities`` (rows, K);
    - tokens: ``prediction`` (rows, words), the label of each word, ``probabilities`` (rows, words, K), NaN where there
      is no word;
    - regression: ``prediction`` (rows,);
    - quantiles: ``quantiles`` (rows, Q) and ``prediction`` (rows,), the one nearest to the median.

    Its metadata properties hold the signature, the task and the classes as JSON.

    Parameters
    ----------
    fitted : Fitted
        Has ``task``, ``signature`` and ``model``; ``model.threshold``, where there is one, is the least probability of
        the positive class at which it is predicted.

    Raises
    ------
    Unsupported
        Naming the part that cannot be converted, and why.
    """
    graph = OnnxGraph(fitted.signature.inputs)
    model: Any = fitted.model
    name = str(model.learner)
    if not isinstance(model, Exportable):
        raise Unsupported(f"{name} cannot be written as an ONNX graph", seen="it has no ability to export")
    values = model.to_graph(graph)
    check_output(graph, values, fitted.task, name)
    _outputs(graph, values, fitted.task, getattr(model, "threshold", None))
    task = to_json(fitted.task)
    metadata = {
        "luban.signature": json.dumps(to_json(fitted.signature)),
        "luban.task": json.dumps(task),
        "luban.classes": json.dumps(task["classes"]),
    }
    return graph.to_bytes(name=fitted.task.target, metadata=metadata, producer_version=__version__)


def check_output(graph: OnnxGraph, tensor: str, task: Task, part: str) -> None:
    """Raise `Unsupported` unless the tensor is float32 of shape (n, width of the task)."""
    import onnx

    shape, axes = graph.shape(tensor), 3 if task.kind == "tokens" else 2
    width = None if shape is None or len(shape) != axes else shape[-1]
    fits = (shape is None or len(shape) == axes) and width in (None, task.outputs)
    if graph.element(tensor) != onnx.TensorProto.FLOAT or not fits:
        kind = onnx.TensorProto.DataType.Name(graph.element(tensor)).lower()
        raise Unsupported(
            f"the graph of {part} does not return float values of shape (n, {'words, ' * (axes > 2)}{task.outputs})",
            seen=f"{kind} {shape}",
        )


def _outputs(graph: OnnxGraph, values: str, task: Task, threshold: float | None) -> None:
    if task.kind == "multilabel":
        least = graph.constant(np.array(HALF if threshold is None else threshold, dtype=np.float32))
        graph.output("prediction", graph.node("GreaterOrEqual", values, least), [ROWS, task.outputs])
        graph.output("probabilities", values, [ROWS, task.outputs])
        return
    if task.kind == "tokens":
        codes = graph.node("ArgMax", values, axis=2, keepdims=0)
        graph.output("prediction", graph.node("Gather", graph.constant(label_values(task)), codes), [ROWS, WORDS])
        graph.output("probabilities", values, [ROWS, WORDS, task.outputs])
        return
    if task.kind == "matching":
        best = graph.node("ReduceMax", values, graph.constant(np.array([1], dtype=np.int64)), keepdims=0)
        least = graph.constant(np.array(0.0 if threshold is None else threshold, dtype=np.float32))
        graph.output("answered", graph.node("GreaterOrEqual", best, least), [ROWS])
        threshold = None
    if task.classifies:
        if threshold is None:
            codes = graph.node("ArgMax", values, axis=1, keepdims=0)
        else:
            positive = graph.node("Gather", values, graph.constant(np.array(1, dtype=np.int64)), axis=1)
            above = graph.node("GreaterOrEqual", positive, graph.constant(np.array(threshold, dtype=np.float32)))
            codes = graph.node("Cast", above, to=7)  # TensorProto.INT64
        graph.output("prediction", graph.node("Gather", graph.constant(label_values(task)), codes), [ROWS])
        graph.output("probabilities", values, [ROWS, task.outputs])
        return
    if task.quantiles:
        middle = int(np.argmin(np.abs(np.asarray(task.quantiles) - 0.5)))
        column = graph.node("Gather", values, graph.constant(np.array(middle, dtype=np.int64)), axis=1)
        graph.output("prediction", column, [ROWS])
        graph.output("quantiles", values, [ROWS, task.outputs])
        return
    graph.output("prediction", graph.node("Reshape", values, graph.constant(np.array([-1], dtype=np.int64))), [ROWS])
