"""Small tasks over tiny backbones: rows of each kind of column, and a task of each kind."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.protocols import Examples
from luban.core.task import Task

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone

GOOD, BAD = ("good", "fine", "nice", "lovely"), ("bad", "awful", "poor", "dull")
OTHER = ("film", "story", "actor", "plot", "scene", "music")


def texts(rows: int, seed: int = 0) -> list[str]:
    """Return texts of 1 to 9 words."""
    draw = np.random.default_rng(seed)
    words = (*GOOD, *BAD, *OTHER)
    return [" ".join(draw.choice(words, draw.integers(1, 10))) for _ in range(rows)]


def moods(values: list[str]) -> np.ndarray:
    """Return how many more good than bad words each text has."""
    return np.array([sum((word in GOOD) - (word in BAD) for word in one.split()) for one in values])


def picture(seed: int, *, bright: bool) -> str:
    """Return a small picture as a data URI: noise, bright or dark."""
    from PIL import Image

    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 120, (12, 12, 3)) + (130 if bright else 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sound(seed: int, *, high: bool) -> str:
    """Return a quarter of a second of a tone as a data URI."""
    import soundfile

    draw = np.random.default_rng(seed)
    time = np.arange(4000) / 16000
    wave = np.sin(2 * np.pi * (1500 if high else 300) * time) + 0.1 * draw.standard_normal(len(time))
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * wave, 16000, format="WAV")
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()


def backbone(kind: str) -> Backbone:
    """Return a tiny backbone with random weights; ``convolutions`` is a net for pictures without attention."""
    from luban.foundation.backbones import tiny

    if kind == "text":
        return tiny.text(texts(200))
    if kind == "convolutions":
        return convolutions()
    return tiny.image() if kind == "image" else tiny.audio(seconds=0.5)


def convolutions() -> Backbone:
    """Return a small EfficientNet with random weights for pictures of 32 by 32 points."""
    from luban.foundation.backbone import Card, Prepares, assemble
    from luban.foundation.backbones import CONVOLUTION_WAYS, TASKS

    # Repeats, kernel, stride, expansion, channels.
    blocks = [[1, 3, 1, 1, 8], [2, 5, 2, 2, 12]]
    about = {"licence": "Apache-2.0", "source": "made on the spot", "words": "For tests.", "parameters": 0, "bytes": 0}
    return assemble(
        Card(name="tiny_convolutions", kind="image", tasks=TASKS, ways=CONVOLUTION_WAYS, **about),
        architecture="efficientnet_lite",
        configuration={"blocks": blocks, "stem": 8, "head": 24},
        prepares=Prepares(name="image_pixels", settings={"size": [32, 32]}),
    )


def problem(kind: str, task: str, rows: int, *, seed: int = 0) -> tuple[Task, Examples]:
    """Return a task over one column (two for ``pairs``) and rows of it."""
    values = texts(rows, seed)
    mood = moods(values)
    flags = mood > 0
    table = pa.table({"input": pa.array(values, type=pa.string())})
    if kind != "text":
        flags = np.arange(rows) % 2 == 0
        make: Any = sound if kind == "audio" else picture
        name = "high" if kind == "audio" else "bright"
        made = [make(100 * seed + row, **{name: bool(flags[row])}) for row in range(rows)]
        table = pa.table({"input": pa.array(made, type=pa.string())})
        mood = np.where(flags, 2, -2)
    inputs: tuple[str, ...] = ("input",)
    classes: tuple[str, ...] = ("no", "yes")
    target: np.ndarray = flags.astype(np.int64)
    metric, kind_of_task, quantiles = "log_loss", task, ()
    if task == "multiclass":
        classes, target = ("low", "middle", "high"), np.sign(mood).astype(np.int64) + 1
    elif task == "multilabel":
        classes, target = ("good", "bad"), np.column_stack([mood > 0, mood < 1]).astype(np.float64)
    elif task == "regression":
        classes, target, metric = (), 10.0 * mood + 1000.0, "rmse"
    elif task == "quantile":
        classes, target, metric, quantiles = (), mood.astype(np.float64), "pinball", (0.1, 0.5, 0.9)
    elif task == "tokens":
        classes = ("other", "good", "bad")
        most = max(len(one.split()) for one in values)
        target = np.full((rows, most), -1, dtype=np.int64)
        for row, one in enumerate(values):
            labels = [1 if word in GOOD else 2 if word in BAD else 0 for word in one.split()]
            target[row, : len(labels)] = labels
    elif task == "pairs":
        inputs, kind_of_task = ("input", "other"), "binary"
        table = table.append_column("other", pa.array(texts(rows, seed + 1), type=pa.string()))
    made_task = Task(
        kind=kind_of_task,  # type: ignore[arg-type]
        target="target",
        inputs=inputs,
        metric=metric,
        classes=classes,
        quantiles=quantiles,
    )
    return made_task, Examples(table=table, target=target)
