"""Branches, loops and what a loop gathers, in TensorFlow.

The body of an operator arrives as a function of its inputs that returns a tuple of its outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping


def branched(tf: Any, attributes: Mapping[str, Any], condition: Any) -> Any:
    """``If``."""
    return tf.cond(tf.reshape(condition, []), attributes["then_branch"], attributes["else_branch"])


def looped(tf: Any, attributes: Mapping[str, Any], turns: Any, going: Any, *carried: Any) -> Any:
    """``Loop`` whose outputs are all carried from turn to turn."""
    body = attributes["body"]

    def goes_on(turn: Any, on: Any, *_rest: Any) -> Any:
        return tf.logical_and(on, turn < tf.reshape(turns, []))

    def one(turn: Any, on: Any, *before: Any) -> tuple[Any, ...]:
        still, *after = body(turn, on, *before)
        if len(after) != len(before):
            raise Unsupported("Loop that stacks an output of each turn has no form in TensorFlow here")
        return (turn + np.int64(1), still, *after)

    _, _, *after = tf.while_loop(goes_on, one, (tf.constant(0, tf.int64), tf.convert_to_tensor(going), *carried))
    return tuple(after)


def nothing(tf: Any, attributes: Mapping[str, Any]) -> Any:
    """``SequenceEmpty``."""
    kind = tf.as_dtype(helper.tensor_dtype_to_np_dtype(attributes.get("dtype", 1)))
    return tf.TensorArray(kind, size=0, dynamic_size=True, infer_shape=False)


def added(_tf: Any, _attributes: Mapping[str, Any], sequence: Any, value: Any, place: Any = None) -> Any:
    """``SequenceInsert`` at the end."""
    if place is not None:
        raise Unsupported("SequenceInsert elsewhere than at the end has no form in TensorFlow here")
    return sequence.write(sequence.size(), value)


def joined(_tf: Any, attributes: Mapping[str, Any], sequence: Any) -> Any:
    """``ConcatFromSequence`` along the first axis."""
    if attributes["axis"] != 0 or attributes.get("new_axis", 0):
        raise Unsupported("ConcatFromSequence along another axis than the first has no form in TensorFlow here")
    return sequence.concat()
