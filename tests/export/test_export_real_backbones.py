"""Real backbones: exported within 1e-4 of torch, and in int8 small and nearly alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luban.core.schema import Column
from luban.data.media.archive import unpacked
from luban.export.compress.int8 import forms
from luban.export.onnx.graph import OnnxGraph
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.long
torch = pytest.importorskip("torch")


def exported(name: str, kind: Any, settings: dict[str, Any]) -> tuple[bytes, tuple[Column, ...]]:
    """Return a graph from a column to the vectors of a backbone; `body_to_graph` compares it with torch."""
    from luban.foundation.zoo import find
    from luban.learners.adapted.graph import body_to_graph

    columns = (Column(name="value", kind=kind),)
    graph = OnnxGraph(columns)
    vectors = body_to_graph(graph, find(name).load(**settings), ("value",))
    graph.output("vectors", vectors, ["rows", graph.shape(vectors)[-1]])
    return graph.to_bytes(name=name, metadata={}, producer_version="0"), columns


def vectors(graph: bytes, columns: tuple[Column, ...], table: pa.Table) -> np.ndarray:
    session = open_session(graph, threads=2)
    return Feeding(session, columns).run(session, ["vectors"], table)[0]


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean cosine of the vectors of the same rows."""
    both = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (one, other)]
    return float((both[0] * both[1]).sum(axis=1).mean())


def batches(graph: bytes, columns: tuple[Column, ...], table: pa.Table) -> list[dict[str, np.ndarray]]:
    feeding = Feeding(open_session(graph), columns)
    return [feeding.table(table.slice(start, 8)) for start in range(0, table.num_rows, 8)]


def test_minilm(shared_data: Callable[[str], Path]) -> None:
    """All dynamic forms have at most 0.27 times the size; rows of many lengths keep their directions."""
    texts = pq.read_table(shared_data("sst2") / "data.parquet")["text"].cast(pa.string())
    graph, columns = exported("minilm", "text", {})
    rows = pa.table({"value": texts.slice(0, 80)})
    expected = vectors(graph, columns, rows)
    seen = batches(graph, columns, pa.table({"value": texts.slice(1000, 128)}))
    cosines = {}
    for form in forms(graph, seen):
        content = form.make()
        assert len(content) <= 0.27 * len(graph)
        cosines[form.name] = alike(expected, vectors(content, columns, rows))
    assert cosines["dynamic"] > 0.995
    assert cosines["weights"] > 0.999
    assert min(cosines.values()) > cosines["dynamic"] - 1e-4  # what falls back is as faithful, or more


def test_efficientnet_is_calibrated(shared_data: Callable[[str], Path]) -> None:
    """Most of its weights are kernels: scales fixed on real rows are tried first; weights alone are nearly exact."""
    files = sorted(str(path) for path in unpacked(shared_data("ants_bees") / "images.zip").rglob("*.jpg"))
    chosen = pa.table({"value": [files[place] for place in np.random.default_rng(0).permutation(len(files))[:56]]})
    graph, columns = exported("efficientnet_lite0", "image", {})
    rows, seen = chosen.slice(0, 24), chosen.slice(24, 32)
    expected = vectors(graph, columns, rows)
    found = {}
    for form in forms(graph, batches(graph, columns, seen)):
        content = form.make()
        found[form.name] = (len(content) / len(graph), alike(expected, vectors(content, columns, rows)))
    assert list(found) == ["static", "weights"]
    assert max(size for size, _ in found.values()) < 0.32
    assert found["static"][1] > 0.9
    assert found["weights"][1] > 0.99
