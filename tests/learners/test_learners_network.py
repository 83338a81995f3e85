"""Small networks that start from nothing: they learn real files, are saved, loaded and exported."""

from __future__ import annotations

import wave
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples, Plannable, Preflight, Suitable, Unsuitable
from luban.core.schema import Column, Schema
from luban.core.task import Task

pytest.importorskip("torch")


def pictures(folder: Path, count: int) -> tuple[list[str], np.ndarray]:
    """Write pictures of lying and of standing bars."""
    from PIL import Image

    random = np.random.default_rng(0)
    target = np.arange(count) % 2
    paths = []
    for place, code in enumerate(target):
        pixels = random.integers(0, 60, (28, 28))
        start = int(random.integers(4, 20))
        pixels[(slice(start, start + 4), slice(2, 26)) if code else (slice(2, 26), slice(start, start + 4))] = 220
        paths.append(str(folder / f"{place}.png"))
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return paths, target


def sounds(folder: Path, count: int) -> tuple[list[str], np.ndarray]:
    """Write low and high tones of different lengths."""
    random = np.random.default_rng(0)
    target = np.arange(count) % 2
    paths = []
    for place, code in enumerate(target):
        length = int(random.integers(3000, 6000))
        tone = np.sin(2 * np.pi * (300, 1500)[code] * random.uniform(0.9, 1.1) * np.arange(length) / 8000)
        samples = (8000 * tone + random.normal(0, 500, length)).astype("<i2")
        paths.append(str(folder / f"{place}.wav"))
        with wave.open(paths[-1], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples.tobytes())
    return paths, target


@pytest.mark.parametrize(
    ("learner", "kind", "make", "parameters"),
    [
        ("image_network", "image", pictures, {"width": 8, "depth": 1, "epochs": 8.0, "batch": 16, "augment": 0.1}),
        ("audio_network", "audio", sounds, {"width": 8, "depth": 1, "epochs": 6.0, "batch": 16, "augment": 0.1}),
    ],
)
def test_it_learns_and_answers_the_same_after_loading_and_in_onnx(
    learner: str, kind: str, make: object, parameters: dict[str, object], tmp_path: Path
) -> None:
    from luban.export.onnx.build import build
    from luban.export.onnx.parity import measure
    from luban.learners.composite import Composite
    from luban.learners.fitted import fitted

    paths, target = make(tmp_path, 96)
    table = pa.table({"file": pa.array(paths, pa.string())})
    task = Task(kind="binary", target="y", inputs=("file",), metric="log_loss", classes=(0, 1))
    schema = Schema(columns=(Column(name="file", kind=kind),))
    found = plugins.create("learners", learner)
    assert isinstance(found.suits(task, schema, 96, 60.0), Suitable)
    model = found.fit(
        task,
        schema,
        Examples(table=table.slice(0, 72), target=target[:72]),
        Examples(table=table.slice(72), target=target[72:]),
        parameters=parameters,
        effort=Effort(seed=3),
    )
    judged = table.slice(72)
    said = model.predict(judged)
    assert np.mean(said.argmax(axis=1) == target[72:]) >= 0.9
    again = found.load(model.save())
    assert np.abs(again.predict(judged) - said).max() <= 1e-6
    # A row alone has the answer that it has among others, although others are longer.
    assert np.abs(model.predict(judged.slice(3, 1)) - said[3:4]).max() <= 1e-5
    whole = fitted(Composite(members=(model,), weights=(1.0,), task=task), schema)
    missing = pa.table({"file": pa.array([None, *paths[:3]], pa.string())})
    assert measure(whole, build(whole), pa.concat_tables([judged, missing])).difference <= 1e-4


@pytest.mark.long
@pytest.mark.parametrize(
    ("learner", "kind", "make", "words"),
    [
        ("image_network", "image", pictures, "pictures looked at do not decode"),
        ("audio_network", "audio", sounds, "sounds looked at do not decode"),
    ],
)
def test_what_would_spoil_it_is_found_before_it_begins(
    learner: str, kind: str, make: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good files are let pass, and the net is built to see what it takes; broken ones and one class forbid it."""
    paths, target = make(tmp_path, 48)
    table = pa.table({"file": pa.array(paths, pa.string())})
    task = Task(kind="binary", target="y", inputs=("file",), metric="log_loss", classes=(0, 1))
    schema = Schema(columns=(Column(name="file", kind=kind),))
    found = plugins.create("learners", learner)
    assert isinstance(found, Preflight)
    assert not isinstance(found, Plannable), "it is looked at, and keeps its place where the look takes too long"

    def blocking(target: np.ndarray) -> list[str]:
        examples, parameters = Examples(table=table, target=target), {"width": 8, "depth": 1}
        told = found.preflight(task, schema, examples, parameters=parameters, effort=Effort(seed=3))
        assert all(one.remedy for one in told)
        return [one.what for one in told if one.verdict == "block"]

    assert blocking(target) == []
    with monkeypatch.context() as small:
        small.setattr(import_module("luban.foundation.preflight"), "room", lambda _: (0, 2**20))
        assert any("GiB of memory" in one for one in blocking(target))
    assert any("only one class" in one for one in blocking(np.zeros(48, dtype=np.int64)))
    Path(paths[0]).write_bytes(b"no picture and no sound")  # the first one is looked at for the size as well
    assert any(words in one for one in blocking(target))


def test_reasons_are_told() -> None:
    """Two columns of pictures, few rows, little time: each is said."""
    task = Task(kind="binary", target="y", inputs=("a", "b"), metric="log_loss", classes=(0, 1))
    one, two = Column(name="a", kind="image"), Column(name="b", kind="image")
    found = plugins.create("learners", "image_network")
    for columns, rows, seconds, word in (
        ((one, two), 500, 60.0, "2"),
        ((one,), 5, 60.0, "rows"),
        ((one,), 500, 2.0, "s"),
    ):
        answer = found.suits(task, Schema(columns=columns), rows, seconds)
        assert isinstance(answer, Unsuitable)
        assert word in answer.reason
