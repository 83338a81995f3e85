"""Small models of pictures and sounds, made by hand, for tests of export and serving."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from luban.core.model import Signature
from luban.core.schema import Column
from luban.core.task import Task
from luban.learners.composite import Composite
from luban.learners.fitted import Fitted

pytest.importorskip("PIL")
pytest.importorskip("soundfile")

from luban.modalities.audio.audio_waveform import AudioWaveform
from luban.modalities.image.image_pixels import ImagePixels

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = (Column(name="photo", kind="image"), Column(name="sound", kind="audio"), Column(name="age", kind="number"))
TASK = Task(
    kind="binary", target="kind", inputs=("photo", "sound", "age"), metric="accuracy", classes=("dark", "bright")
)  # fmt: skip


def picture(level: int, *, size: int = 40, kind: str = "PNG") -> bytes:
    """Return a picture of one grey."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (size, size + 10), (level, level, level)).save(buffer, kind)
    return buffer.getvalue()


def sound(volume: float, *, seconds: float = 0.2) -> bytes:
    """Return a tone."""
    import soundfile

    buffer = io.BytesIO()
    time = np.arange(int(16000 * seconds)) / 16000
    soundfile.write(buffer, volume * np.sin(2 * np.pi * 440 * time), 16000, format="WAV")
    return buffer.getvalue()


def plain(content: bytes) -> str:
    """Return content in base64."""
    return base64.b64encode(content).decode()


@dataclass(frozen=True, kw_only=True)
class Bright:
    """The mean pixel of the photo, the loudness of the sound and a hundredth of the age, as a margin."""

    task: Task = TASK
    learner: str = "bright"
    learned: Any = None

    @property
    def photo(self) -> ImagePixels:
        return ImagePixels(columns=("photo",), size=(8, 8))

    @property
    def sound(self) -> AudioWaveform:
        return AudioWaveform(columns=("sound",))

    def predict(self, rows: pa.Table) -> np.ndarray:
        pixels = self.photo(rows)["pixel_values"].mean(axis=(1, 2, 3))
        loud = np.abs(self.sound(rows)["input_values"]).mean(axis=1)
        age = np.nan_to_num(rows["age"].to_numpy(zero_copy_only=False)).astype(np.float32)
        positive = 1 / (1 + np.exp(-(pixels + loud + 0.01 * age).astype(np.float64)))
        return np.column_stack([1 - positive, positive])

    def save(self) -> dict[str, bytes]:
        return {}

    def to_graph(self, graph: Any) -> str:
        single = lambda value: graph.constant(np.array(value, dtype=np.float32))  # noqa: E731
        pixels = graph.prepared(self.photo)["pixel_values"]
        pixels = graph.node("ReduceMean", pixels, graph.constant(np.array([1, 2, 3])), keepdims=0)
        loud = graph.node("Abs", graph.prepared(self.sound)["input_values"])
        loud = graph.node("ReduceMean", loud, graph.constant(np.array([1])), keepdims=0)
        age = graph.node("Reshape", graph.column("age"), graph.constant(np.array([-1])))
        age = graph.node("Where", graph.node("IsNaN", age), single(0), age)
        margin = graph.node("Sum", pixels, loud, graph.node("Mul", age, single(0.01)))
        positive = graph.node("Unsqueeze", graph.node("Sigmoid", margin), graph.constant(np.array([1])))
        return graph.node("Concat", graph.node("Sub", single(1), positive), positive, axis=1)


def fitted() -> Fitted:
    """Return the model by hand."""
    outputs = (Column(name="kind", kind="category", role="target"),)
    model = Composite(members=(Bright(),), weights=(1.0,), task=TASK)
    return Fitted(task=TASK, signature=Signature(inputs=COLUMNS, outputs=outputs), model=model)
