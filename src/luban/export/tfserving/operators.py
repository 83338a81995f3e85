"""What each operator of ONNX is in TensorFlow: those that graphs of tables, with their texts, are made of.

A function takes TensorFlow itself, the operator's attributes and its inputs (tensors, NumPy arrays where they are
constants, None where left out), and returns a tensor, or a tuple of them. So the table is known without TensorFlow.
Source: https://onnx.ai/onnx/operators/ (opset 20; ai.onnx.ml 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import helper

from luban.core.errors import Unsupported
from luban.export.tfserving import bodies
from luban.export.tfserving.texts import lowered, tokens, weighed_counts
from luban.export.tfserving.trees import tree_sums

ML = "ai.onnx.ml"
Operator = Callable[..., Any]


def known(domain: str, name: str) -> Operator | None:
    """Return the function of an operator, or None where there is none."""
    return OPERATORS.get(name if domain in {"", "ai.onnx"} else f"{domain}.{name}")


def _plain(function: Callable[[Any], Callable[..., Any]]) -> Operator:
    """Return the operator that a function of TensorFlow is as it stands."""
    return lambda tf, _attributes, *inputs: function(tf)(*inputs)


def _fold(function: Callable[[Any], Callable[..., Any]]) -> Operator:
    """Return an operator of any number of inputs."""

    def folded(tf: Any, _attributes: Mapping[str, Any], *inputs: Any) -> Any:
        total = inputs[0]
        for one in inputs[1:]:
            total = function(tf)(total, one)
        return total

    return folded


def _constant(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise Unsupported(f"{what} is computed in the graph, which has no form in TensorFlow here")
    return value


def _whole(value: Any) -> bool:
    return bool(np.issubdtype(value.dtype, np.integer) if isinstance(value, np.ndarray) else value.dtype.is_integer)


def _divide(tf: Any, _attributes: Mapping[str, Any], left: Any, right: Any) -> Any:
    return tf.truncatediv(left, right) if _whole(left) else tf.divide(left, right)


def _remainder(tf: Any, attributes: Mapping[str, Any], left: Any, right: Any) -> Any:
    return tf.truncatemod(left, right) if attributes.get("fmod") else tf.math.floormod(left, right)


def _cast(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    return tf.cast(value, tf.as_dtype(helper.tensor_dtype_to_np_dtype(attributes["to"])))


def _clip(tf: Any, _attributes: Mapping[str, Any], value: Any, low: Any = None, high: Any = None) -> Any:
    clipped = value if low is None else tf.maximum(value, low)
    clipped = clipped if high is None else tf.minimum(clipped, high)
    return clipped if _whole(value) else tf.where(tf.math.is_nan(value), value, clipped)


def _gather(tf: Any, attributes: Mapping[str, Any], table: Any, indices: Any) -> Any:
    axis = attributes.get("axis", 0)
    if isinstance(indices, np.ndarray) and (indices < 0).any():
        indices = np.where(indices < 0, indices + int(table.shape[axis]), indices)
    return tf.gather(table, indices, axis=axis)


def _reduced(function: Callable[[Any], Callable[..., Any]]) -> Operator:
    def reduce(tf: Any, attributes: Mapping[str, Any], value: Any, axes: Any = None) -> Any:
        chosen = None if axes is None else _constant(axes, "the axes of a sum").tolist()
        return function(tf)(value, axis=chosen, keepdims=bool(attributes.get("keepdims", 1)))

    return reduce


def _gemm(tf: Any, attributes: Mapping[str, Any], left: Any, right: Any, added: Any = None) -> Any:
    transposed = {"transpose_a": bool(attributes.get("transA", 0)), "transpose_b": bool(attributes.get("transB", 0))}
    product = tf.linalg.matmul(left, right, **transposed) * np.float32(attributes.get("alpha", 1.0))
    return product if added is None else product + np.float32(attributes.get("beta", 1.0)) * added


def _reshape(tf: Any, _attributes: Mapping[str, Any], value: Any, shape: Any) -> Any:
    if not isinstance(shape, np.ndarray):
        return tf.reshape(value, shape)
    own = tf.shape(value, out_type=tf.int64)
    return tf.reshape(
        value, tf.stack([own[place] if size == 0 else np.int64(size) for place, size in enumerate(shape)])
    )


def _unsqueeze(tf: Any, _attributes: Mapping[str, Any], value: Any, axes: Any) -> Any:
    for axis in sorted(_constant(axes, "the axes of Unsqueeze").tolist()):
        value = tf.expand_dims(value, axis)
    return value


def _squeeze(tf: Any, _attributes: Mapping[str, Any], value: Any, axes: Any = None) -> Any:
    return tf.squeeze(value, None if axes is None else _constant(axes, "the axes of Squeeze").tolist())


def _shape(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    return tf.shape(value, out_type=tf.int64)[attributes.get("start", 0) : attributes.get("end")]


def _expand(tf: Any, _attributes: Mapping[str, Any], value: Any, shape: Any) -> Any:
    return tf.broadcast_to(
        value, tf.broadcast_dynamic_shape(tf.shape(value, out_type=tf.int64), tf.cast(shape, tf.int64))
    )


def _slice(_tf: Any, _attributes: Mapping[str, Any], value: Any, *edges: Any) -> Any:
    starts, ends = ([one[place] for place in range(one.shape[0])] for one in edges[:2])
    rest = [_constant(one, "an axis or a step of Slice").tolist() for one in edges[2:]]
    axes = rest[0] if rest else range(len(starts))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    cuts = [slice(None)] * len(value.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise Unsupported("Slice backwards has no form in TensorFlow here")
        known = isinstance(end, np.integer)
        cuts[axis] = slice(start, None if known and abs(int(end)) >= 2**31 - 1 else end, step)
    return value[tuple(cuts)]


def _top(tf: Any, attributes: Mapping[str, Any], value: Any, count: Any) -> Any:
    if attributes.get("axis", -1) not in {-1, len(value.shape) - 1}:
        raise Unsupported("TopK along another axis than the last has no form in TensorFlow here")
    number = int(_constant(count, "the count of TopK").reshape(()))
    if attributes.get("largest", 1):
        values, places = tf.math.top_k(value, number)
    else:
        values, places = tf.math.top_k(-value, number)
        values = -values
    return values, tf.cast(places, tf.int64)


def _argmax(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    axis = attributes.get("axis", 0)
    found = tf.math.argmax(value, axis=axis, output_type=tf.int64)
    return tf.expand_dims(found, axis) if attributes.get("keepdims", 1) else found


def _unit(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    order = attributes.get("p", 2)
    length = tf.norm(value, ord=order, axis=attributes.get("axis", -1), keepdims=True)
    return tf.math.divide_no_nan(value, length)


def _selu(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    if attributes.get("alpha") or attributes.get("gamma"):
        raise Unsupported("Selu with factors of its own has no form in TensorFlow here")
    return tf.nn.selu(value)


def _look_up(tf: Any, attributes: Mapping[str, Any], value: Any) -> Any:
    """Return values of a dictionary, by keys of words or whole numbers."""
    keys = next((attributes[name] for name in ("keys_strings", "keys_int64s") if name in attributes), None)
    forms = (("values_int64s", "default_int64", -1, np.int64), ("values_floats", "default_float", 0.0, np.float32),
             ("values_strings", "default_string", b"_Unused", np.object_))  # fmt: skip
    chosen = next((one for one in forms if one[0] in attributes), None)
    if keys is None or chosen is None:
        raise Unsupported("LabelEncoder with keys or values of another type has no form in TensorFlow here")
    values, default, otherwise, kind = chosen
    keyed = np.array(keys, dtype=np.object_ if "keys_strings" in attributes else np.int64)
    found = np.array(attributes[values], dtype=kind)
    missing = np.array(attributes.get(default, otherwise), dtype=kind).reshape(())
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keyed, found), missing.item())
    return table.lookup(value)


OPERATORS: Mapping[str, Operator] = {
    "Abs": _plain(lambda tf: tf.abs),
    "Add": _plain(lambda tf: tf.add),
    "And": _plain(lambda tf: tf.logical_and),
    "ArgMax": _argmax,
    "Cast": _cast,
    "Clip": _clip,
    "ConcatFromSequence": bodies.joined,
    "Concat": lambda tf, attributes, *inputs: tf.concat(inputs, axis=attributes["axis"]),
    "Div": _divide,
    "Equal": _plain(lambda tf: tf.equal),
    "Erf": _plain(lambda tf: tf.math.erf),
    "Exp": _plain(lambda tf: tf.exp),
    "Expand": _expand,
    "Floor": _plain(lambda tf: tf.floor),
    "Gather": _gather,
    "Gemm": _gemm,
    "Greater": _plain(lambda tf: tf.greater),
    "GreaterOrEqual": _plain(lambda tf: tf.greater_equal),
    "If": bodies.branched,
    "Identity": _plain(lambda tf: tf.identity),
    "IsNaN": _plain(lambda tf: tf.math.is_nan),
    "Less": _plain(lambda tf: tf.less),
    "LessOrEqual": _plain(lambda tf: tf.less_equal),
    "Log": _plain(lambda tf: tf.math.log),
    "Loop": bodies.looped,
    "LpNormalization": _unit,
    "MatMul": _plain(lambda tf: tf.linalg.matmul),
    "Max": _fold(lambda tf: tf.maximum),
    "Min": _fold(lambda tf: tf.minimum),
    "Mish": lambda tf, _attributes, value: value * tf.tanh(tf.math.softplus(value)),
    "Mod": _remainder,
    "Mul": _plain(lambda tf: tf.multiply),
    "Neg": _plain(lambda tf: tf.negative),
    "Not": _plain(lambda tf: tf.logical_not),
    "Or": _plain(lambda tf: tf.logical_or),
    "Pow": _plain(lambda tf: tf.pow),
    "ReduceMax": _reduced(lambda tf: tf.reduce_max),
    "ReduceMean": _reduced(lambda tf: tf.reduce_mean),
    "ReduceMin": _reduced(lambda tf: tf.reduce_min),
    "ReduceSum": _reduced(lambda tf: tf.reduce_sum),
    "Relu": _plain(lambda tf: tf.nn.relu),
    "Reshape": _reshape,
    "Round": _plain(lambda tf: tf.round),
    "Selu": _selu,
    "SequenceEmpty": bodies.nothing,
    "SequenceInsert": bodies.added,
    "Shape": _shape,
    "Sigmoid": _plain(lambda tf: tf.sigmoid),
    "Slice": _slice,
    "Softmax": lambda tf, attributes, value: tf.nn.softmax(value, axis=attributes.get("axis", -1)),
    "Sqrt": _plain(lambda tf: tf.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(lambda tf: tf.subtract),
    "Sum": _fold(lambda tf: tf.add),
    "Tanh": _plain(lambda tf: tf.tanh),
    "TopK": _top,
    "Transpose": lambda tf, attributes, value: tf.transpose(value, attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(lambda tf: tf.where),
    "NonZero": lambda tf, _attributes, value: tf.transpose(tf.where(tf.not_equal(value, tf.zeros_like(value)))),
    "StringNormalizer": lowered,
    "TfIdfVectorizer": weighed_counts,
    "com.microsoft.Tokenizer": tokens,
    f"{ML}.LabelEncoder": _look_up,
    f"{ML}.TreeEnsembleRegressor": tree_sums,
}
