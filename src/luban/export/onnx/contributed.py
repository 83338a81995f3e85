"""Operators that ONNX Runtime adds to the standard's, as far as Luban's models use them.

Every build of ONNX Runtime has them; other runtimes do not, so an export says when its graph has one. ``onnx`` has no
schema of theirs: what they return is written down here.
Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto, TypeProto, helper

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOMAIN = "com.microsoft"
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "Tokenizer": frozenset({"mark", "mincharnum", "pad_value", "separators", "stopwords", "tokenexp"}),
}


def check_operator(operator: str, attributes: Sequence[str]) -> None:
    """Raise `Unsupported` for an operator that is not known here, or an attribute that it does not have."""
    if operator not in _ATTRIBUTES:
        raise Unsupported(
            f"the operator {operator} of {DOMAIN} is not among those that a graph may use",
            remedy=f"Known: {', '.join(_ATTRIBUTES)}.",
        )
    if unknown := sorted(set(attributes) - _ATTRIBUTES[operator]):
        raise Unsupported(f"{operator} of {DOMAIN} has no attribute {unknown[0]}")


def result_type(operator: str, inputs: Sequence[TypeProto]) -> TypeProto:
    """Return the type of the operator's output."""
    tensor = inputs[0].tensor_type if len(inputs) == 1 else None
    if tensor is None or tensor.elem_type != TensorProto.STRING:
        raise Unsupported(f"{operator} takes one tensor of strings")
    sizes = [one.dim_value if one.HasField("dim_value") else None for one in tensor.shape.dim]
    return helper.make_tensor_type_proto(TensorProto.STRING, [*sizes, None])  # the tokens of each text
