"""Tables, and a small ONNX graph, for the tests of encodings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.schema import Schema
    from luban.modalities.tabular import Encoding

_TYPES = {"number": TensorProto.FLOAT, "date": TensorProto.INT64}


class SmallGraph:
    """The least that satisfies `luban.core.protocols.Graph`: every node is added as it is asked for."""

    def __init__(self, schema: Schema) -> None:
        self.kinds = {column.name: column.kind for column in schema.inputs}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.used: dict[str, None] = {}

    def column(self, name: str) -> str:
        assert name in self.kinds
        self.used[name] = None
        return f"column:{name}"

    def constant(self, values: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
        return name

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        names = [f"{operator}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else tuple(names)

    def session(self, output: str) -> onnxruntime.InferenceSession:
        """Return a session on one thread whose single output is this tensor."""
        inputs = [
            helper.make_tensor_value_info(f"column:{name}", _TYPES.get(self.kinds[name], TensorProto.STRING), [None, 1])
            for name in self.used
        ]
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "encoding", inputs, [result], self.constants)
        domains = [("", 21), ("ai.onnx.ml", 3), ("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in domains], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def feeds(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the inputs of a session for a canonical table."""
        return {f"column:{name}": _tensor(table.column(name), self.kinds[name]) for name in self.used}


def _tensor(values: pa.ChunkedArray, kind: str) -> np.ndarray:
    if kind == "number":
        with np.errstate(over="ignore"):
            return values.to_numpy().astype(np.float32)[:, None]
    if kind == "date":
        least = np.iinfo(np.int64).min
        return values.cast(pa.int64()).fill_null(least).to_numpy()[:, None]
    return np.array([value or "" for value in values.to_pylist()], dtype=object)[:, None]


@pytest.fixture(scope="session")
def through_onnx() -> Callable[[Encoding, Schema, pa.Table], np.ndarray]:
    """Return a function that encodes a table by the encoding's ONNX graph."""

    def run(encoding: Encoding, schema: Schema, table: pa.Table) -> np.ndarray:
        graph = SmallGraph(schema)
        session = graph.session(encoding.to_graph(graph))
        return session.run(None, graph.feeds(table))[0]

    return run


@pytest.fixture(scope="session")
def small_graph() -> type[SmallGraph]:
    return SmallGraph
