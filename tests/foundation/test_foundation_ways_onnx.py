"""What cannot be folded into weights leaves as ONNX as it stands, and answers as the network does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import onnxruntime
from foundation_rows import backbone, problem

from luban.core.budget import Effort
from luban.foundation.adapt import adapt
from luban.foundation.to_onnx import OUTPUT, to_onnx

QUICK: dict[str, Any] = {"epochs": 1.0, "batch": 8, "precision": "float32", "learning_rate": 1e-2, "probe_first": False}
CASES = [("text", "prompt"), ("text", "prefix"), ("text", "adapter")]
OTHERS = [(kind, way) for kind in ("image", "audio") for way in ("prefix", "adapter")]


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        *(pytest.param(*one, marks=pytest.mark.long) for one in CASES),
        *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in OTHERS),
    ],
)
def test_what_was_added_is_in_the_graph(kind: str, way: str) -> None:
    """On rows that were not seen when it was traced, of another number and other lengths."""
    task, training = problem(kind, "multiclass", 16)
    _, held = problem(kind, "multiclass", 5, seed=5)
    made = adapt(backbone(kind), way, task, task.inputs, training, None, parameters=QUICK, effort=Effort())
    assert not made.folds
    seen = [dict(made.preparation(part)) for part in (training.table.slice(0, 3), training.table.slice(3, 1))]
    content = to_onnx(made.module, made.preparation.tensors, seen)
    session = onnxruntime.InferenceSession(content)
    tensors = made.preparation(held.table)
    found = session.run([OUTPUT], {one.name: tensors[one.name] for one in session.get_inputs()})[0]
    expected = made.margins(held.table)
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())
    assert any(name.startswith("body.") for name in made.changed)
