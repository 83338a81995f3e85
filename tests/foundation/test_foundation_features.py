"""Frozen features of a tiny backbone: the same however they are batched, cached or interrupted."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

import torch

from luban.core.budget import Effort
from luban.core.errors import OutOfTime
from luban.foundation.backbone import Encoded
from luban.foundation.backbones import tiny
from luban.foundation.features import features, pair_features
from luban.foundation.training import device

if TYPE_CHECKING:
    from pathlib import Path

    from luban.foundation.backbone import Backbone

TEXTS = ["a small dog", "a large cat sat on the mat and slept", None, "", "a small dog", "birds"] * 4


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny.text(text for text in TEXTS if text)


def test_features_do_not_depend_on_the_batch(backbone: Backbone) -> None:
    """One at a time, in batches, on two threads: the same vectors; missing and empty texts have none."""
    table = pa.table({"text": TEXTS})
    alone = features(backbone, table, "text", effort=Effort(), batch=1)
    many = features(backbone, table, "text", effort=Effort(threads=2), batch=2)
    np.testing.assert_allclose(alone.values, many.values, atol=1e-6)
    assert alone.present.tolist() == [bool(text) for text in TEXTS]
    assert not alone.values[~alone.present].any()
    assert alone.values[alone.present].any(axis=1).all()


def test_cached_features_need_no_network(backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call computes nothing, whatever the column is called; another backbone shares nothing."""
    effort = Effort(cache=str(tmp_path))
    first = features(backbone, pa.table({"text": TEXTS}), "text", effort=effort)
    other = features(tiny.text(seed=1), pa.table({"text": TEXTS}), "text", effort=effort)
    assert not np.allclose(first.values, other.values)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("luban.foundation.features.encode", refuse)
    again = features(backbone, pa.table({"words": TEXTS}), "words", effort=effort)
    np.testing.assert_array_equal(first.values, again.values)


def test_a_deadline_that_has_passed_gives_what_is_ready(backbone: Backbone, tmp_path: Path) -> None:
    table = pa.table({"text": TEXTS})
    features(backbone, table.slice(0, 1), "text", effort=Effort(cache=str(tmp_path)))
    late = Effort(cache=str(tmp_path), deadline=time.monotonic() - 1)
    with pytest.raises(OutOfTime, match="the time was up"):
        features(backbone, table, "text", effort=late)
    part = features(backbone, table, "text", effort=late, partial=True)
    assert part.present.tolist() == [text == TEXTS[0] for text in TEXTS]


def test_a_broken_picture_has_no_vector_and_spoils_none() -> None:
    image = pytest.importorskip("PIL.Image")
    import io

    backbone = tiny.image()
    references = []
    for colour in ("red", "blue", "green"):
        file = io.BytesIO()
        image.new("RGB", (40, 30), colour).save(file, "PNG")
        references.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    broken = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n broken").decode()
    table = pa.table({"picture": [references[0], broken, None, *references[1:], "/no/such/file.png"]})
    found = features(backbone, table, "picture", effort=Effort())
    assert found.present.tolist() == [True, False, False, True, True, False]
    clean = features(backbone, pa.table({"picture": references}), "picture", effort=Effort())
    np.testing.assert_allclose(found.values[found.present], clean.values, atol=1e-6)


def test_pairs_are_told_by_both_vectors_and_what_lies_between() -> None:
    first, second = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    assert pair_features(first, second).tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]


def test_quick_features_are_nearly_the_same_and_kept_apart(backbone: Backbone, tmp_path: Path) -> None:
    """What is computed in bfloat16 is never given where float32 is asked for."""
    table, effort = pa.table({"text": TEXTS}), Effort(cache=str(tmp_path))
    quick = features(backbone, table, "text", effort=effort, quick=True)
    exact = features(backbone, table, "text", effort=effort)
    np.testing.assert_array_equal(exact.values, features(backbone, table, "text", effort=Effort()).values)
    np.testing.assert_allclose(quick.values, exact.values, atol=0.05)


class Elsewhere(torch.nn.Module):
    """A body that tells where its weights and its tensors are, and answers on the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.seen: list[tuple[str, ...]] = []

    def forward(self, **tensors: torch.Tensor) -> Encoded:
        rows = len(next(iter(tensors.values())))
        self.seen.append((self.weight.device.type, *sorted({one.device.type for one in tensors.values()})))
        return Encoded(torch.ones(rows, 1, 2), torch.ones(rows, 1), torch.ones(rows, 2))


def test_vectors_are_computed_where_training_computes(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one place that chooses a device is asked; the body itself stays on the processor, and its copy is kept."""
    body = Elsewhere()
    seen = body.seen
    there = replace(backbone, body=body, dimension=2)
    monkeypatch.setattr(Elsewhere, "__deepcopy__", lambda self, memo: _shallow(self), raising=False)
    monkeypatch.setattr(device, "processor", lambda: torch.device("meta"))
    table = pa.table({"text": ["one", "two two"]})
    for _ in range(2):
        found = features(there, table, "text", effort=Effort(cache=str(tmp_path)), batch=1)
        assert found.values.tolist() == [[1.0, 1.0]] * 2
    assert seen == [("meta", "meta")] * 2, "the second time they come from the cache"
    assert body.weight.device.type == "cpu"
    assert device.on(body, torch.device("meta")) is device.on(body, torch.device("meta"))
    assert device.here().device.type == "meta"
    monkeypatch.setattr(device, "processor", lambda: torch.device("cpu"))
    features(there, table, "text", effort=Effort(cache=str(tmp_path)), batch=1)
    assert seen[2:] == [("cpu", "cpu")] * 2, "another device rounds otherwise, and has a shelf of its own"


def _shallow(body: Elsewhere) -> Elsewhere:
    copy = Elsewhere()
    copy.seen = body.seen
    return copy


def test_a_network_is_traced_on_the_processor_and_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was trained elsewhere is brought home to be written as ONNX, and is where it was afterwards."""
    from luban.foundation import to_onnx

    moves: list[str] = []
    network = torch.nn.Linear(2, 1)
    plain = torch.nn.Module.to
    monkeypatch.setattr(torch.nn.Module, "cpu", lambda self: moves.append("cpu") or self)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, place: moves.append(str(place)) or plain(self, "cpu"))
    monkeypatch.setattr(device, "where", lambda _: device.Place(torch.device("cuda:0")))
    monkeypatch.setattr(to_onnx, "_exported", lambda *_: moves.append("traced") or b"")
    monkeypatch.setattr(to_onnx, "_outputs", lambda *_: moves.append("computed") or np.zeros(1))
    monkeypatch.setattr(to_onnx, "_check", lambda *_: None)
    to_onnx.to_onnx(network, {}, [{}])
    assert moves == ["cpu", "traced", "computed", "cuda:0"]
