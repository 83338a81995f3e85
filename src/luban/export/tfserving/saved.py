"""A graph as a SavedModel: written node by node, read back, and asked.

The form is that of TensorFlow's first version, in which an input may be called whatever a column is called; every
version of TensorFlow Serving reads it. Source: https://www.tensorflow.org/guide/saved_model.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from luban.core.errors import MissingExtra, Unsupported
from luban.export.tfserving.operators import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIGNATURE = "serving_default"


def missing_operators(graph: bytes) -> list[str]:
    """Return the operators of a graph that have no form in TensorFlow here."""
    nodes = _all_nodes(onnx.load_from_string(graph).graph)
    return sorted({one.op_type for one in nodes if known(one.domain, one.op_type) is None})


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph, and those of the bodies of its loops and branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _all_nodes(attribute.g)


def tensorflow() -> Any:
    """Return TensorFlow.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its notes on processors help nobody who exports
    try:
        import tensorflow as tf
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a SavedModel is written by TensorFlow, which is not installed",
            seen=str(error),
            remedy="Run: pip install 'luban[tensorflow]'. Or export --to docker or --to triton, which need none.",
        ) from error
    return tf


def write(graph: bytes, folder: Path) -> None:
    """Write a graph as a SavedModel into a folder that does not exist yet.

    Its signature has the graph's inputs and outputs under their own names. A column is a tensor of one axis, so that
    a client sends ``{"age": 39}`` a row.
    """
    tf = tensorflow().compat.v1
    model = onnx.load_from_string(graph)
    with tf.Graph().as_default(), tf.Session() as session:
        values: dict[str, Any] = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        inputs = {}
        for place, one in enumerate(model.graph.input):
            inputs[one.name], values[one.name] = _placeholder(tf, one, place)
        for node in model.graph.node:
            values.update(_computed(node, values))
        outputs = {one.name: tf.identity(values[one.name]) for one in model.graph.output}
        session.run(tf.tables_initializer())
        signature = tf.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
        builder = tf.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.tag_constants.SERVING],
            signature_def_map={SIGNATURE: signature},
            main_op=tf.tables_initializer(),
        )
        builder.save()


def ask(folder: Path, feeds: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """Return an output of a SavedModel for tensors as the graph takes them."""
    tf = tensorflow().compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        loaded = tf.saved_model.loader.load(session, [tf.saved_model.tag_constants.SERVING], str(folder))
        signature = loaded.signature_def[SIGNATURE]
        fed = {one.name: _shaped(feeds[name], one) for name, one in signature.inputs.items()}
        return np.asarray(session.run(signature.outputs[output].name, fed))


def _placeholder(tf: Any, value: onnx.ValueInfoProto, place: int) -> tuple[Any, Any]:
    """Return the tensor that clients feed, and the one that the graph reads."""
    kind = value.type.tensor_type
    dtype = tf.as_dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    sizes = [one.dim_value if one.HasField("dim_value") else None for one in kind.shape.dim]
    if sizes == [None, 1]:
        fed = tf.placeholder(dtype, [None], name=f"input_{place}")
        return fed, tf.expand_dims(fed, 1)
    fed = tf.placeholder(dtype, sizes, name=f"input_{place}")
    return fed, fed


def _shaped(values: np.ndarray, told: Any) -> np.ndarray:
    return values.reshape(-1) if len(told.tensor_shape.dim) == 1 else values


def _computed(node: onnx.NodeProto, values: Mapping[str, Any]) -> dict[str, Any]:
    operator = known(node.domain, node.op_type)
    if operator is None:
        raise Unsupported(f"the operator {node.op_type} has no form in TensorFlow here")
    attributes = {one.name: _attribute(one, values) for one in node.attribute}
    found = operator(tensorflow(), attributes, *(values[name] if name else None for name in node.input))
    several = found if isinstance(found, tuple) else (found,)
    return dict(zip(node.output, several, strict=False))


def _attribute(attribute: onnx.AttributeProto, values: Mapping[str, Any]) -> Any:
    """Return the value of an attribute; a body is a function, which sees the values around its operator."""
    if attribute.type != onnx.AttributeProto.GRAPH:
        return helper.get_attribute_value(attribute)
    graph = attribute.g

    def body(*inputs: Any) -> tuple[Any, ...]:
        inner = dict(values) | {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        inner |= {one.name: given for one, given in zip(graph.input, inputs, strict=True)}
        for node in graph.node:
            inner.update(_computed(node, inner))
        return tuple(_told(inner[one.name], one.type) for one in graph.output)

    return body


def _told(value: Any, kind: onnx.TypeProto) -> Any:
    """Return a body's output with the sizes that the body tells: TensorFlow loses them in a loop."""
    if kind.HasField("tensor_type") and kind.tensor_type.HasField("shape"):
        sizes = kind.tensor_type.shape.dim
        value.set_shape([one.dim_value if one.HasField("dim_value") else None for one in sizes])
    return value
