"""Other ONNX models in a graph, and preparations before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

import small_models as small
from luban.core.errors import Tampered, Unsupported
from luban.core.schema import Column
from luban.export.onnx.graph import OnnxGraph
from luban.learners.graph import metadata
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.session import open_session
from toy_preparation import Letters, letters_installed  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (Column(name="note", kind="text"), Column(name="title", kind="text"), Column(name="age", kind="number"))
TEXTS = ["", "a", "hello world", None, "Grüße", "x" * 200] * 20
TABLE = pa.table({"note": TEXTS, "title": TEXTS[::-1], "age": np.arange(120.0)})
ONE = '[{"name": "letters", "columns": ["note"], "inputs": {}, "payloads": %s}]'
pytestmark = pytest.mark.usefixtures("letters_installed")


def model(nodes: Sequence[onnx.NodeProto], weights: dict[str, np.ndarray], *, opset: int = 18, **more: object) -> bytes:
    """Return a model from letters and mask (n, L) to sums (n, 1)."""
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ("letters", "mask")],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, **more
    ).SerializeToString()


def embedding(scale: float = 1.0, *, opset: int = 18) -> bytes:
    """Return the masked sum of one number a letter, which is scale * letter."""
    table = (scale * np.arange(64, dtype=np.float32)).reshape(64, 1)
    nodes = [
        helper.make_node("Gather", ["table", "letters"], ["vectors"], doc_string="/home/somebody/model.py"),
        helper.make_node("Cast", ["mask"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "first"], ["out"], keepdims=0),
    ]
    return model(nodes, {"table": table, "last": np.array([-1]), "first": np.array([1])}, opset=opset)


def expected(column: str, table: pa.Table = TABLE) -> np.ndarray:
    texts = [(one or "")[:64] for one in table.column(column).to_pylist()]
    return np.array([[sum(ord(letter) % 64 for letter in text)] for text in texts], dtype=np.float64)


def finished(graph: OnnxGraph, tensor: str) -> bytes:
    graph.output("prediction", tensor, ["rows", 1])
    return graph.to_bytes(name="test", metadata={}, producer_version="0")


def run(graph: bytes, table: pa.Table = TABLE) -> np.ndarray:
    session = open_session(graph)
    return Feeding(session, COLUMNS).run(session, ["prediction"], table)[0]


@pytest.mark.parametrize("opset", [13, 17, 18, 20, 21, 22])
def test_a_model_of_any_opset_reads_prepared_tensors(opset: int) -> None:
    """The preparation travels in the file; rows of many lengths come back in their order."""
    graph = OnnxGraph(COLUMNS)
    out = graph.subgraph(embedding(opset=opset), graph.prepared(Letters("note")))[0]
    content = finished(graph, out)
    np.testing.assert_array_equal(run(content), expected("note"))
    made = onnx.load_from_string(content)
    assert [one.name for one in made.graph.input] == ["title", "age", "letters", "mask"]  # note is no tensor
    assert {one.domain: one.version for one in made.opset_import} == {"": 20}
    assert b"somebody" not in content  # comments of an exporter tell where it ran


def test_two_preparations_and_a_column_stand_side_by_side() -> None:
    """Inputs of one name are told apart, equal weights are kept once, and a column that a node reads stays an input."""
    graph = OnnxGraph(COLUMNS)
    first = graph.subgraph(embedding(), graph.prepared(Letters("note")))[0]
    second = graph.subgraph(embedding(), graph.prepared(Letters("title")))[0]
    content = finished(graph, graph.node("Sum", first, second, graph.column("age")))
    np.testing.assert_array_equal(run(content), expected("note") + expected("title") + np.arange(120.0)[:, None])
    made = onnx.load_from_string(content)
    assert [one.name for one in made.graph.input] == ["age", "letters", "mask", "letters_2", "mask_2"]
    assert len([one for one in made.graph.initializer if one.data_type == TensorProto.FLOAT]) == 1


def test_equal_preparations_and_models_are_kept_once() -> None:
    """Members that share a body compute it once."""
    graph = OnnxGraph(COLUMNS)
    one, other = graph.prepared(Letters("note")), graph.prepared(Letters("note"))
    assert one == other
    assert graph.subgraph(embedding(), one) == graph.subgraph(embedding(), other)
    assert graph.prepared(Letters("note", 32)) != one  # another payload is another preparation


def test_long_and_short_rows_are_not_padded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of like length are computed together: few cells in all, though the longest row has 64 letters."""
    graph = OnnxGraph(COLUMNS)
    content = finished(graph, graph.subgraph(embedding(), graph.prepared(Letters("note")))[0])
    session = open_session(content)
    feeding = Feeding(session, COLUMNS)
    rows = pa.table({"note": ["x" * (64 if place % 8 == 0 else 1) for place in range(512)], "title": [""] * 512,
                     "age": [0.0] * 512})  # fmt: skip
    found = feeding.run(session, ["prediction"], rows)[0]
    np.testing.assert_array_equal(found, expected("note", rows))
    assert sum(feeding.prepared[0].preparation.seen) <= 64 * 64 + 448
    assert feeding.run(session, ["prediction"], rows.slice(0, 0))[0].shape == (0, 1)


def test_functions_branches_and_loops_are_taken_over() -> None:
    """A function is inlined; the bodies of If and Loop keep what they capture from outside."""
    counted = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["so_far", "weight"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("so_far", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, None),
        ],
    )
    twice = helper.make_function(
        "mine", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], [helper.make_opsetid("", 18)]
    )
    nodes = [
        helper.make_node("Cast", ["letters"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats", "first"], ["sums"], keepdims=1),
        helper.make_node("Twice", ["sums"], ["doubled"], domain="mine"),
        helper.make_node("Loop", ["three", "", "doubled"], ["out"], body=counted),
    ]
    weights = {"first": np.array([1]), "three": np.array(3), "weight": np.array(0.5, dtype=np.float32)}
    graph = onnx.load_from_string(model(nodes, weights))
    graph.functions.append(twice)
    graph.opset_import.append(helper.make_opsetid("mine", 1))
    outer = OnnxGraph(COLUMNS)
    prepared = outer.prepared(Letters("note"))
    found = run(finished(outer, outer.subgraph(graph.SerializeToString(), prepared)[0]))
    np.testing.assert_array_equal(found, 2 * expected("note") + 1.5)


def one_node(operator: str, *, domain: str = "", opset: int = 18) -> bytes:
    return model([helper.make_node(operator, ["letters", "mask"], ["out"], domain=domain)], {}, opset=opset)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, i: (m, {"letters": i["letters"]}), "wants other inputs"),
        (lambda m, i: (m, {**i, "mask": "age"}), "of another type"),
        (lambda m, i: (m, {**i, "mask": "nowhere"}), "no tensor of this graph"),
        (lambda m, i: (one_node("Magic", domain="ai.magic"), i), "every runtime"),
        (lambda m, i: (one_node("RMSNormalization", opset=25), i), "from opset 25"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_is_refused(change, words: str) -> None:
    graph = OnnxGraph(COLUMNS)
    content, inputs = change(embedding(), dict(graph.prepared(Letters("note"))))
    with pytest.raises(Unsupported, match=words):
        graph.subgraph(content, inputs)


def test_weights_in_other_files_are_refused() -> None:
    content = onnx.load_from_string(embedding())
    content.graph.initializer[0].data_location = TensorProto.EXTERNAL
    graph = OnnxGraph(COLUMNS)
    with pytest.raises(Unsupported, match="in other files"):
        graph.subgraph(content.SerializeToString(), graph.prepared(Letters("note")))


def test_one_row_and_many_are_fed_alike() -> None:
    graph = OnnxGraph(COLUMNS)
    summed = graph.subgraph(embedding(), graph.prepared(Letters("note")))[0]
    content = finished(graph, graph.node("Add", summed, graph.column("age")))
    session = open_session(content)
    feeding = Feeding(session, COLUMNS)
    many = run(content)
    for place in range(12):
        row = {"note": TEXTS[place] or "", "title": "", "age": float(place)}
        assert session.run(["prediction"], feeding.row(row))[0][0] == many[place]


@pytest.mark.parametrize("damage", ["{", "[{}]", ONE % "{}", ONE % '{"letters.json": "AAAA"}'])
def test_damaged_preparations_are_refused(damage: str) -> None:
    with pytest.raises(Tampered):
        metadata.read(damage)


def test_a_graph_with_a_stray_input_is_refused() -> None:
    graph = OnnxGraph(small.COLUMNS)
    content = finished(graph, graph.column("age"))
    with pytest.raises(Unsupported, match="no column"):
        Feeding(open_session(content), small.COLUMNS[1:])
