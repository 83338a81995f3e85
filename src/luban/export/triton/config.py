"""``config.pbtxt``: what Triton is told of a graph, as protobuf's text.

Source: https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto and
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS, PREPARED_ROWS = 1024, 32
"""Rows that are computed at once at most: of plain columns, and of prepared tensors, which are large."""
_TYPES = {
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.DOUBLE: "TYPE_FP64",
    TensorProto.INT64: "TYPE_INT64",
    TensorProto.INT32: "TYPE_INT32",
    TensorProto.BOOL: "TYPE_BOOL",
    TensorProto.STRING: "TYPE_STRING",
}


def config(name: str, reference: str, graph: bytes, rows: int) -> str:
    """Return the configuration of a graph whose tensors all have a first axis of rows.

    Parameters
    ----------
    name : str
        Of the folder; plain.
    reference : str
        What the registry calls the model.
    rows : int
        At most so many are computed at once; requests that wait are computed together.
    """
    model = onnx.load_from_string(graph)
    lines = [
        f"name: {quoted(name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {rows}",
        "dynamic_batching { }",
        *(_tensor("input", one) for one in model.graph.input),
        *(_tensor("output", one) for one in model.graph.output),
        f'parameters {{ key: "luban.model" value {{ string_value: {quoted(reference)} }} }}',
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a string of protobuf's text format, whatever it holds: bytes that are no plain ASCII as octal numbers."""
    content = text.encode("utf-8", "replace")
    plain = [chr(one) if 32 <= one < 127 and chr(one) not in "\"'\\" else f"\\{one:03o}" for one in content]
    return f'"{"".join(plain)}"'


def _tensor(part: str, value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type
    sizes = [one.dim_value if one.HasField("dim_value") else -1 for one in kind.shape.dim][1:]
    # A tensor of one value a row and no further axis cannot be written: it gets one, which is taken away again.
    shape = f"dims: {_list(sizes)}" if sizes else "dims: [ 1 ] reshape { shape: [ ] }"
    return f"{part} {{ name: {quoted(value.name)} data_type: {_TYPES[kind.elem_type]} {shape} }}"


def _list(sizes: Sequence[int]) -> str:
    return f"[ {', '.join(map(str, sizes))} ]"
