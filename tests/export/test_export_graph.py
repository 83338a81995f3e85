"""The graph under construction: what it shares, what it infers, what it refuses."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import small_models as small
from luban.core.errors import NotFound, Unsupported
from luban.core.schema import Column
from luban.export.onnx.graph import OnnxGraph


@pytest.fixture
def graph() -> OnnxGraph:
    return OnnxGraph(small.COLUMNS)


def finished(graph: OnnxGraph, tensor: str, width: int = 1) -> bytes:
    graph.output("prediction", tensor, ["rows", width])
    return graph.to_bytes(name="test", metadata={}, producer_version="0")


def test_equal_constants_and_nodes_are_kept_once(graph: OnnxGraph) -> None:
    first = graph.constant(np.array([1.5], dtype=np.float32))
    assert graph.constant(np.array([1.5], dtype=np.float32)) == first
    assert graph.constant(np.array(1.5, dtype=np.float32)) != first  # another shape
    assert graph.constant(np.array([1.5])) != first  # another type
    assert graph.constant(np.array([-0.0])) != graph.constant(np.array([0.0]))  # other bits
    added = graph.node("Add", graph.column("age"), first)
    assert graph.node("Add", graph.column("age"), first) == added
    assert graph.node("Sub", graph.column("age"), first) != added
    model = onnx.load_from_string(finished(graph, added))
    assert [node.op_type for node in model.graph.node].count("Add") == 1
    assert len(model.graph.initializer) == 1  # constants that nothing uses are left out


def test_attributes_tell_nodes_apart(graph: OnnxGraph) -> None:
    age = graph.column("age")
    assert graph.node("Concat", age, age, axis=1) != graph.node("Concat", age, age, axis=0)


def test_types_and_shapes_are_inferred(graph: OnnxGraph) -> None:
    both = graph.node("Concat", graph.column("age"), graph.column("age"), axis=1)
    assert graph.shape(both) == (None, 2)
    assert graph.element(both) == onnx.TensorProto.FLOAT
    flat = graph.node("Reshape", both, graph.constant(np.array([-1, 1])))
    assert graph.shape(flat) == (None, 1)  # from the values of the constant
    values, places = graph.node("TopK", both, graph.constant(np.array([1])), outputs=2, axis=1)
    assert graph.element(values) == onnx.TensorProto.FLOAT
    assert graph.element(places) == onnx.TensorProto.INT64


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: g.node("Add", g.column("age"), g.column("colour")), "Add does not fit"),
        (lambda g: g.node("Concat", g.column("age"), "nowhere", axis=1), "no tensor of this graph"),
        (lambda g: g.node("Frobnicate", g.column("age")), "Frobnicate is not in ai.onnx"),
        (lambda g: g.node("Concat", g.column("age"), along=1), "with the attributes"),
        (lambda g: g.node("Neg", g.column("age"), g.column("age")), "takes 1 to 1 inputs"),
        (lambda g: g.node("Concat", g.column("age"), axis="x"), "must be of the type INT"),
        (lambda g: g.node("Gelu", g.column("age"), domain="com.microsoft"), "not among those"),
        (lambda g: g.node("Tokenizer", g.column("age"), domain="com.microsoft"), "tensor of strings"),
        (lambda g: g.node("Tokenizer", g.column("note"), domain="com.microsoft", x=1), "no attribute x"),
        (lambda g: g.node("Magic", g.column("age"), domain="ai.magic"), "not every runtime has"),
        (lambda g: g.node("TreeEnsemble", g.column("age"), domain="ai.onnx.ml", wrong=1), "needs another opset"),
    ],
)
def test_an_invalid_node_is_refused_where_it_is_made(graph: OnnxGraph, call, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        call(graph)


def test_an_unknown_column_names_the_nearest(graph: OnnxGraph) -> None:
    with pytest.raises(NotFound, match="colour"):
        graph.column("color")


def test_a_column_that_is_no_plain_value_is_refused_by_name() -> None:
    graph = OnnxGraph([*small.COLUMNS, Column(name="picture", kind="image")])
    with pytest.raises(Unsupported, match="'picture'"):
        graph.column("picture")


def test_opsets_follow_the_operators(graph: OnnxGraph) -> None:
    """Trees as one old node and as the new one cannot be in one graph; either alone can."""
    tree = {"nodes_treeids": [0], "nodes_nodeids": [0], "nodes_featureids": [0], "nodes_values": [0.0]}
    tree |= {"nodes_modes": ["LEAF"], "nodes_truenodeids": [0], "nodes_falsenodeids": [0], "n_targets": 1}
    tree |= {"target_treeids": [0], "target_nodeids": [0], "target_ids": [0], "target_weights": [2.5]}
    found = graph.node("TreeEnsembleRegressor", graph.column("age"), domain="ai.onnx.ml", **tree)
    assert graph.shape(found) == (None, 1)
    with pytest.raises(Unsupported, match="needs another opset"):
        graph.node(
            "TreeEnsemble",
            graph.column("age"),
            domain="ai.onnx.ml",
            tree_roots=[0],
            nodes_featureids=[0],
            nodes_splits=np.zeros(1, np.float32),
            nodes_modes=np.zeros(1, np.uint8),
            nodes_truenodeids=[0],
            nodes_trueleafs=[1],
            nodes_falsenodeids=[0],
            nodes_falseleafs=[1],
            leaf_targetids=[0],
            leaf_weights=np.ones(1, np.float32),
            n_targets=1,
        )
    made = onnx.load_from_string(finished(graph, found))
    assert {one.domain: one.version for one in made.opset_import} == {"": 20, "ai.onnx.ml": 3}
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {name: np.zeros((2, 1), dtype) for name, dtype in (("age", np.float32), ("since", np.int64))}
    feed |= {name: np.full((2, 1), "", object) for name in ("colour", "member", "note")}
    assert session.run(None, feed)[0].tolist() == [[2.5], [2.5]]


def test_columns_with_the_names_of_outputs_and_of_tensors_are_kept_apart() -> None:
    """Column names are the user's: none of them may collide with what the graph calls its own."""
    names = ["prediction", "probabilities", "Add_out_0", "constant_0", "Add_0", "rows", "a b/ü\"'", "0"]
    graph = OnnxGraph([Column(name=name, kind="number") for name in names])
    total = graph.column(names[0])
    for name in names[1:]:
        total = graph.node("Add", total, graph.column(name))
    total = graph.node("Add", total, graph.constant(np.array(0.5, dtype=np.float32)))
    session = onnxruntime.InferenceSession(finished(graph, total), providers=["CPUExecutionProvider"])
    fed = {one.name: np.ones((3, 1), np.float32) for one in session.get_inputs()}
    assert len(fed) == len(names)
    assert session.run(["prediction"], fed)[0].tolist() == [[8.5]] * 3
