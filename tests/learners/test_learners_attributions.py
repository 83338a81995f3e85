"""What a network is said to rest on is what was planted: a word, a patch, a tone, a modality."""

from __future__ import annotations

import base64
import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Attributing, Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.learners.composite import Composite

pytest.importorskip("torch")
pytest.importorskip("transformers")

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.protocols import Model
    from luban.core.report import Evidence

GOOD, BAD = ("good", "fine", "lovely"), ("bad", "poor", "awful")
OTHERS = ("film", "book", "meal", "day", "song", "was", "the", "quite")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every backbone be a tiny random one of the kind that is asked for."""
    from luban.foundation import zoo
    from luban.foundation.backbones import tiny as made
    from luban.learners.adapted import choice

    class Tiny:
        def __init__(self, kind: str) -> None:
            self.kind = kind

        def card(self) -> object:
            return self.load().card

        def load(self, **options: object) -> object:
            return made.text([" ".join((*GOOD, *BAD, *OTHERS))]) if self.kind == "text" else made.image()

    choice._kept.cache_clear()
    monkeypatch.setattr(zoo, "default", lambda kind, sample=(): Tiny(kind))
    monkeypatch.setattr(zoo, "find", lambda name: Tiny(name.removeprefix("tiny_")))
    yield
    choice._kept.cache_clear()


def texts(count: int) -> tuple[pa.Table, np.ndarray, list[str]]:
    """Return texts whose class one word tells, with the words."""
    random = np.random.default_rng(0)
    target = random.integers(0, 2, count)
    words = [str(random.choice((BAD, GOOD)[code])) for code in target]
    rows = [" ".join([*random.choice(OTHERS, 3), word, *random.choice(OTHERS, 2)]) for word in words]
    return pa.table({"text": rows, "number": random.normal(size=count)}), target, words


def learnt(
    learner: str, table: pa.Table, target: np.ndarray, kinds: dict[str, str], **parameters: object
) -> tuple[Model, Task]:
    task = Task(kind="binary", target="y", inputs=tuple(kinds), metric="log_loss", classes=("bad", "good"))
    schema = Schema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))
    half = len(target) * 2 // 3
    table = table.select(list(kinds))
    model = plugins.create("learners", learner).fit(
        task,
        schema,
        Examples(table=table.slice(0, half), target=target[:half]),
        Examples(table=table.slice(half), target=target[half:]),
        parameters=parameters,
        effort=Effort(seed=1),
    )
    assert isinstance(model, Attributing)
    return model, task


def effort(seconds: float = 280.0) -> Effort:
    return Effort(deadline=time.monotonic() + seconds)


def spans_of(evidence: object) -> Evidence:
    return next(one for one in evidence if one.drawing == "spans")


def heat_of(evidence: Evidence) -> np.ndarray:
    """Return how orange each point of the map is, from its picture."""
    from PIL import Image

    uri = evidence.rows[1][1]
    image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
    values = np.asarray(image).astype(float)
    return np.clip(values[:, :, 0] - values[:, :, 2], 0, None)


@pytest.mark.parametrize(
    ("learner", "kinds", "parameters"),
    [
        ("fine_tune", ("text",), {"way": "full", "learning_rate": 3e-3, "epochs": 5.0, "batch": 16}),
        ("linear_probe", ("text",), {}),
        ("text_ngrams", ("text",), {}),
        ("late_fusion", ("text", "number"), {"learning_rate": 3e-3, "epochs": 30}),
    ],
)
def test_the_planted_word_weighs_most(learner: str, kinds: tuple[str, ...], parameters: dict[str, object]) -> None:
    """The pieces make up the text again; the one that tells the class has the largest weight, and speaks for it."""
    table, target, words = texts(150)
    kind = {"text": "text", "number": "number"}
    model, _ = learnt(learner, table, target, {name: kind[name] for name in kinds}, **parameters)
    rows = table.select(list(kinds)).slice(0, 8)
    found = model.attributions(rows, target[:8], effort=effort())
    right = 0
    for evidence, word, text in zip(found, words, rows["text"].to_pylist(), strict=False):
        pieces = spans_of(evidence).rows
        assert "".join(piece for piece, _ in pieces) == text
        assert max(abs(weight) for _, weight in pieces) == 1.0
        right += max(pieces, key=lambda one: one[1])[0].strip() == word
    assert right >= 7


def test_integrated_gradients_add_up() -> None:
    """The weights of the tokens sum to the score less that of the text without words (the axiom of completeness)."""
    import torch

    from luban.foundation.attribution.integrated import integrated_gradients, token_vectors

    table, target, _ = texts(120)
    model, _ = learnt("fine_tune", table, target, {"text": "text"}, way="lora", learning_rate=3e-3, epochs=3.0)
    network, preparation = model.adapted.network, model.adapted.preparation
    tensors = {name: torch.from_numpy(one) for name, one in preparation(table.slice(0, 1)).items()}
    named = np.array([place.column >= 0 for place in preparation.places(table.slice(0, 1))[0]])
    vectors = token_vectors(network.body)
    found = integrated_gradients(
        lambda given: network(**given)[:, 0], vectors, tensors, named, pad=0, deadline=time.monotonic() + 280
    )
    with torch.no_grad():
        without = torch.where(torch.from_numpy(named)[None], 0, tensors["input_ids"])
        whole, empty = (float(network(**tensors | {"input_ids": ids})[0, 0]) for ids in (tensors["input_ids"], without))
    assert found.total == pytest.approx(whole - empty, abs=1e-5)
    assert found.gap <= 0.02 * abs(found.total) + 1e-4
    assert np.abs(found.weights[~named]).max() == 0


def patched(folder: Path, count: int) -> tuple[list[str], np.ndarray]:
    """Write noise; those of one class have a bright patch in the upper right quarter."""
    from PIL import Image

    random = np.random.default_rng(0)
    target = np.arange(count) % 2
    paths = []
    for place, code in enumerate(target):
        pixels = random.integers(60, 120, (40, 40, 3))
        if code:
            pixels[6:16, 24:34] = (250, 240, 60)
        paths.append(str(folder / f"{place}.png"))
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return paths, target


@pytest.mark.parametrize(
    ("learner", "parameters", "least"),
    [
        ("image_network", {"width": 8, "depth": 2, "epochs": 8.0, "batch": 16, "augment": 0.0}, 0.6),
        ("linear_probe", {}, 0.5),
    ],
)
def test_the_map_lies_on_the_planted_patch(
    learner: str, parameters: dict[str, object], least: float, tmp_path: Path
) -> None:
    """Most of what is orange lies in the quarter with the patch: of a network, and of a frozen transformer."""
    paths, target = patched(tmp_path, 90)
    table = pa.table({"photo": pa.array(paths, pa.string())})
    model, _ = learnt(learner, table, target, {"photo": "image"}, **parameters)
    shares = []
    for (evidence,) in model.attributions(table.slice(1, 1), np.array([1]), effort=effort()):
        heat = heat_of(evidence)
        height, width = heat.shape
        shares.append(heat[: height // 2, width // 2 :].sum() / heat.sum())
    assert np.mean(shares) >= least


def test_the_map_lies_on_the_planted_tone(tmp_path: Path) -> None:
    """Of a tone in the second half of a noise, most of what is orange lies there; axes say seconds and Hz."""
    import soundfile

    random = np.random.default_rng(0)
    target = np.arange(80) % 2
    paths = []
    for place, code in enumerate(target):
        samples = random.normal(0, 0.02, 8000)
        if code:
            samples[5000:7000] += 0.4 * np.sin(2 * np.pi * 600 * np.arange(2000) / 8000)
        paths.append(str(tmp_path / f"{place}.wav"))
        soundfile.write(paths[-1], samples, 8000)
    table = pa.table({"sound": pa.array(paths, pa.string())})
    model, _ = learnt(
        "audio_network",
        table,
        target,
        {"sound": "audio"},
        width=8,
        depth=1,
        epochs=15.0,
        precision="float32",  # not by which is quicker at the moment
        batch=16,
        augment=0.0,
        seconds=2.0,
    )
    ((evidence,),) = model.attributions(table.slice(1, 1), np.array([1]), effort=effort())
    assert evidence.x == "0 to 1.00 s"
    assert "Hz" in evidence.y
    heat = heat_of(evidence)
    middle = heat.shape[1] // 2
    assert heat[:, middle:].sum() >= 0.7 * heat.sum()
    # 600 Hz is in the lower half of the picture.
    assert heat[heat.shape[0] // 2 :].sum() >= 0.7 * heat.sum()


def test_shares_of_a_mixture_add_up() -> None:
    """The bars of the modalities sum to the log-odds less those of a row in which all are missing."""
    table, target, _ = texts(150)
    model, _ = learnt("late_fusion", table, target, {"text": "text", "number": "number"}, epochs=10)
    rows = table.slice(0, 3)
    codes = model.predict(rows).argmax(axis=1)
    found = model.attributions(rows, codes, effort=effort())
    _, values, base = model.modality_contributions(rows)
    for place, evidence in enumerate(found):
        bars = dict(evidence[0].rows)
        sign = 1 if codes[place] else -1
        odds = np.log(model.predict(rows)[place, 1] / model.predict(rows)[place, 0])
        assert sum(bars.values()) == pytest.approx(sign * (odds - base[0]), abs=2e-3)
        assert bars["table"] == pytest.approx(sign * values[place, 0, 0], rel=2e-3, abs=1e-3)


def test_an_ensemble_asks_its_heaviest_member_that_can() -> None:
    """It says which one that is, and its share; a row without a value and a passed deadline show nothing."""
    table, target, _ = texts(150)
    light, task = learnt("text_ngrams", table, target, {"text": "text"})
    heavy, _ = learnt("linear_probe", table, target, {"text": "text"})
    silent = plugins.create("learners", "constant").fit(
        task,
        Schema(columns=(Column(name="text", kind="text"),)),
        Examples(table=table.select(["text"]), target=target),
        None,
        parameters={},
        effort=effort(),
    )
    whole = Composite(members=(silent, light, heavy), weights=(0.5, 0.2, 0.3), task=task)
    assert whole.attributed == ("linear_probe", pytest.approx(0.3))
    rows = table.select(["text"]).slice(0, 2)
    assert (
        whole.attributions(rows, target[:2], effort=effort())[0]
        == heavy.attributions(rows, target[:2], effort=effort())[0]
    )
    missing = pa.table({"text": pa.array([None, ""], pa.string())})
    assert [list(one) for one in whole.attributions(missing, target[:2], effort=effort())] == [[], []]
    assert not any(whole.attributions(rows, target[:2], effort=effort(-1.0)))
    assert Composite(members=(silent,), weights=(1.0,), task=task).attributed == ("", 0.0)
