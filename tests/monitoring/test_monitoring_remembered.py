"""A watch computes the vectors of a value once; windows that overlap are compared by mostly the same values."""

from __future__ import annotations

import wave
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core.progress import Progress, listening, stopping
from luban.foundation import zoo
from luban.operations.fit import fit
from luban.operations.monitor import monitor
from luban.operations.monitoring import embedding, remembered
from luban.operations.monitoring.embedded import _drawn
from luban.operations.monitoring.embedding import Embeddings
from luban.operations.monitoring.remembered import Remembered
from luban.store import Workspace
from luban.store.digests import digest_of
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

START = datetime(2026, 3, 1, tzinfo=UTC)


class Counted:
    """Vectors that are the same for the same value; a value that begins with "?" cannot be read."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(
        self, _executor: Any, values: Iterable[str | bytes], *, backbone: str, cache: str | None, digest: str = "one"
    ) -> Embeddings:
        assert cache is None
        found = list(values)
        self.asked.append(len(found))
        present = np.array([not str(one).startswith("?") for one in found], dtype=bool)
        vectors = [np.random.default_rng(list(str(one).encode())).normal(size=8) for one in found]
        unit = np.array([one / np.linalg.norm(one) for one in vectors], dtype=np.float32).reshape(-1, 8)[present]
        return Embeddings(backbone=backbone, digest=digest, vectors=unit, present=present)


def test_a_value_is_computed_once_and_the_vectors_are_as_without_remembering(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, those that come twice twice, those that cannot be read left out and not tried again."""
    compute = Counted()
    monkeypatch.setattr(remembered, "embeddings", compute)
    mine, executor = Remembered(), object()
    first = ["a", "b", "?", "a", "c"]
    for values in (first, ["c", "?", "d", "a"], first):
        made = mine.embeddings(executor, values, backbone="x")  # type: ignore[arg-type]
        np.testing.assert_array_equal(made.vectors, Counted()(executor, values, backbone="x", cache=None).vectors)
    assert compute.asked == [4, 1]
    mine.embeddings(executor, ["a"], backbone="y")  # type: ignore[arg-type]
    assert compute.asked == [4, 1, 1]


def test_another_version_of_the_backbone_is_asked_for_all_values(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["one", "two", "two"])
    monkeypatch.setattr(
        remembered, "embeddings", lambda *given, **more: Counted()(*given, **more, digest=next(versions))
    )
    mine = Remembered()
    assert mine.embeddings(object(), ["a", "b"], backbone="x").digest == "one"  # type: ignore[arg-type]
    made = mine.embeddings(object(), ["b", "c"], backbone="x")  # type: ignore[arg-type]
    assert (made.digest, len(made.vectors)) == ("two", 2)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "embeddings", Counted())
    monkeypatch.setattr(remembered, "MOST", 10)
    mine = Remembered()
    assert len(mine.embeddings(object(), map(str, range(25)), backbone="x").vectors) == 25  # type: ignore[arg-type]
    assert len(mine._vectors) == 10


def test_windows_that_overlap_draw_mostly_the_same_and_every_row_has_the_same_chance() -> None:
    """Of 1,000 rows, 100 of them new, 200 are drawn; a value that half of the rows have is drawn about as often."""
    rows = [f"text {place}" for place in range(1100)]
    before, after = (set(_drawn(rows[start : start + 1000], 200, 1)) for start in (0, 100))
    assert len(before & after) >= 160
    often = [one if place % 2 else "hello" for place, one in enumerate(rows)]
    assert 70 <= _drawn(often[:1000], 200, 1).count("hello") <= 130
    assert _drawn(rows[:50], 200, 1) == rows[:50]


def logged(workspace: Workspace, texts: list[str], begin: int) -> None:
    rows = [
        {"request_id": f"r{begin + place}", "row": 0, "moment": START + timedelta(minutes=begin + place)}
        | {"deployment": "notes", "model": "notes/1", "arm": "champion", "latency_ms": 1.0}
        for place in range(len(texts))
    ]
    table = pa.Table.from_pylist(rows, schema=COLUMNS).append_column("input.text", pa.array(texts))
    workspace.predictions.append(table.append_column("output.prediction", pa.array(["a"] * len(texts))))


@pytest.mark.long
def test_a_watch_asks_the_backbone_for_new_texts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three looks, against the window before: at the second 40 texts are new, at the third none."""
    compute = Counted()
    monkeypatch.setattr(remembered, "embeddings", compute)
    monkeypatch.setattr(embedding, "embeddings", lambda *given, **more: pytest.fail("not remembered"))
    monkeypatch.setattr(zoo, "default", lambda *_: SimpleNamespace(card=lambda: SimpleNamespace(name="x")))
    words = ["tea", "rain", "stone", "lamp", "road", "song", "ink", "bread"]
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(words, 6)) + f" {place}" for place in range(200)]
    table = pa.table({"text": texts[:60], "y": ["a", "b"] * 30})
    news: list[Progress] = []
    with Workspace.open(tmp_path / ".luban") as workspace:
        fit(workspace, table, target="y", name="notes", learners=("constant",), rounds=1)
        workspace.deployments.set("notes", {"notes/1": 1.0})
        logged(workspace, texts[:160], 0)

        def listen(one: Progress) -> None:
            news.append(one)
            if len(news) == 1:
                logged(workspace, texts[160:], 160)

        with listening(listen), stopping(lambda: len(news) >= 3):
            monitor(workspace, "notes", last=80, against="previous", watch=1.0)
    assert all(one.result is not None for one in news), [one.message for one in news]
    assert compute.asked == [80, 80, 40]


def sounds(folder: Path, count: int, *, noise: bool, seed: int) -> list[bytes]:
    """Write sounds of half a second, tones or noise, and return their content."""
    random = np.random.default_rng(seed)
    made = []
    for place in range(count):
        tone = np.sin(2 * np.pi * random.uniform(200, 400) * np.arange(4000) / 8000)
        heard = random.normal(0, 0.5, 4000) if noise else tone + random.normal(0, 0.05, 4000)
        path = folder / ("low" if place % 2 else "high") / f"{place}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((8000 * np.clip(heard, -2, 2)).astype("<i2").tobytes())
        made.append(path.read_bytes())
    return made


@pytest.mark.long
def test_sounds_are_told_from_others_by_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tones were learnt: more of them are calm, noise is not; the log keeps the sounds, and without that it is said.

    The network knows nothing, which is enough to tell these; what decodes, prepares and computes is real."""
    pytest.importorskip("torch")
    from luban.execution import local
    from luban.execution.inline import InlineExecutor
    from luban.foundation.backbones import tiny

    net = SimpleNamespace(load=tiny.audio, card=lambda: SimpleNamespace(name="tiny_audio"))
    monkeypatch.setattr(zoo, "default", lambda *_: net)
    monkeypatch.setattr(zoo, "find", lambda *_: net)
    sounds(tmp_path / "learnt", 60, noise=False, seed=1)
    with Workspace.open(tmp_path / ".luban") as workspace:
        fit(workspace, str(tmp_path / "learnt"), name="tones", learners=("constant",), rounds=1)
        monkeypatch.setattr(local, "LocalExecutor", InlineExecutor)
        for seed, (name, noise, kept) in enumerate(
            (("calm", False, True), ("noisy", True, True), ("lost", True, False))
        ):
            contents = sounds(tmp_path / name, 40, noise=noise, seed=2 + seed)
            workspace.deployments.set(name, {"tones/1": 1.0}, media=kept)
            digests = [digest_of(one) for one in contents]
            rows = [
                {"request_id": f"{name}{place}", "row": 0, "moment": START + timedelta(minutes=place)}
                | {"deployment": name, "model": "tones/1", "arm": "champion", "latency_ms": 1.0}
                for place in range(40)
            ]
            table = pa.Table.from_pylist(rows, schema=COLUMNS).append_column("input.audio", pa.array(digests))
            table = table.append_column("output.prediction", pa.array(["low"] * 40))
            workspace.predictions.append(table, dict(zip(digests, contents, strict=True)) if kept else None)
        found = {name: monitor(workspace, name).report for name in ("calm", "noisy", "lost")}
    assert found["calm"].figures["drift"]["drifted"] == []
    assert found["noisy"].figures["drift"]["drifted"] == ["audio"]
    told = {name: " ".join(one.what for one in report.findings) for name, report in found.items()}
    assert "'audio' is compared by embeddings of tiny_audio: 40 values of 40 rows with 60 of" in told["noisy"]
    assert "'audio' is not compared: the log keeps the content of 0 of 40 values" in told["lost"]
