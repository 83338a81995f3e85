"""Compress: an int8 version is made where it stays good, and is a model like any other."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.errors import InputError, Unsupported
from luban.core.report import Report
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.data import versions
from luban.export.onnx.build import build
from luban.learners import artifact
from luban.learners.composite import Composite
from luban.learners.fitted import fitted as make_fitted
from luban.operations import registering
from luban.operations.compress import _rows, _said, compress
from luban.operations.evaluate import evaluate
from luban.operations.explain import explain
from luban.operations.export import export
from luban.operations.fitting import kept_out
from luban.operations.loading import GRAPH, runtime
from luban.operations.models.threshold import models_threshold
from luban.operations.models.verify import models_verify
from luban.operations.predict import predict
from luban.operations.reading import labelled
from toy_preparation import Letters, letters_installed  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.protocols import Graph
    from luban.store import Workspace

pytestmark = pytest.mark.usefixtures("letters_installed")
WIDTH = 96
TASK = Task(kind="binary", target="vowels", inputs=("note", "age"), metric="accuracy", classes=("few", "many"))
COLUMNS = (Column(name="note", kind="text"), Column(name="age", kind="number"))
RANDOM = np.random.default_rng(0)
LETTERS = list("abcdefghijklmnopqrstuvwxyz ")
TEXTS = ["".join(RANDOM.choice(LETTERS, RANDOM.integers(3, 40))) for _ in range(300)]
SHARE = np.array([np.mean([letter in "aeiou" for letter in text]) for text in TEXTS])
ROWS = pa.table({"note": TEXTS, "age": RANDOM.normal(size=300), "vowels": np.where(SHARE > 0.19, "many", "few")})


class Vowels:
    """A network by hand: an embedding tells vowels, two dense layers carry the share of them on, a margin decides."""

    learner = "vowels"
    task = TASK
    learned: Any = {}  # noqa: RUF012 - it is never changed

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        table = 0.01 * random.normal(size=(64, WIDTH))
        table[:, 0] = [chr(96 + code % 32) in "aeiou" for code in range(64)]
        turned = np.linalg.qr(random.normal(size=(WIDTH, WIDTH)))[0]
        self.table, self.first = table.astype(np.float32), turned.astype(np.float32)
        self.second = turned.T.astype(np.float32)

    def predict(self, table: pa.Table) -> np.ndarray:
        tensors = Letters("note")(table)
        mask = tensors["mask"][:, :, None]
        mean = (self.table[tensors["letters"]] * mask).sum(1) / np.maximum(mask.sum(1), 1)
        margin = (mean @ self.first @ self.second)[:, :1].astype(np.float64) - 0.19
        positive = 1 / (1 + np.exp(-40 * margin))
        return np.column_stack([1 - positive[:, 0], positive[:, 0]])

    def save(self) -> dict[str, bytes]:
        return {}

    def to_graph(self, graph: Graph) -> str:
        single = lambda value: graph.constant(np.array(value, dtype=np.float32))  # noqa: E731
        tensors = graph.prepared(Letters("note"))
        vectors = graph.node("Gather", graph.constant(self.table), tensors["letters"], axis=0)
        mask = graph.node("Unsqueeze", graph.node("Cast", tensors["mask"], to=1), graph.constant(np.array([2])))
        one = graph.constant(np.array([1]))
        count = graph.node("Max", graph.node("ReduceSum", mask, one, keepdims=0), single(1))
        mean = graph.node("Div", graph.node("ReduceSum", graph.node("Mul", vectors, mask), one, keepdims=0), count)
        hidden = graph.node(
            "MatMul", graph.node("MatMul", mean, graph.constant(self.first)), graph.constant(self.second)
        )
        share = graph.node("Gather", hidden, graph.constant(np.array([0])), axis=1)
        positive = graph.node("Sigmoid", graph.node("Mul", graph.node("Sub", share, single(0.19)), single(40)))
        return graph.node("Concat", graph.node("Sub", single(1), positive), positive, axis=1)


class VowelsLearner:
    """Loads the network by hand."""

    def load(self, _payloads: Any) -> Vowels:
        return Vowels()


@pytest.fixture
def source(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with the network by hand as ``letters/1``."""
    found = plugins._table
    point = EntryPoint("vowels", f"{__name__}:VowelsLearner", "luban.learners")
    monkeypatch.setattr(
        plugins, "_table", lambda group: {**found(group), **({"vowels": point} if group == "learners" else {})}
    )
    dataset = versions.import_data(workspace, ROWS, name="letters")
    whole = make_fitted(
        Composite(members=(Vowels(),), weights=(1.0,), task=TASK, threshold=0.5), Schema(columns=COLUMNS)
    )
    workspace.models.register(
        name="letters",
        artifact=artifact.write(workspace.blobs, whole, extra={GRAPH: build(whole)}),
        signature=whole.signature,
        task=TASK,
        dataset=dataset.reference,
        tags={"seed": 3},
    )
    return workspace


def test_rows_that_the_fit_kept_out_are_measured_on(source: Workspace) -> None:
    """Those alone where the fit says which they are, and scales are chosen on others; not where rows have changed."""
    version = source.models.get("letters/1")
    _, target = labelled(TASK, ROWS)
    run = source.runs.start("fit", {})
    made = replace(version, run=run.id)
    every = _rows(source, made, None, 0)
    assert (every.learnt, every.table.num_rows) == (True, 300)
    kept_out.keep(source, run.id, np.arange(0, 300, 30), target)
    assert _rows(source, made, None, 0).learnt, "ten rows tell nothing"
    kept_out.keep(source, run.id, np.arange(100, 160), target)
    found = _rows(source, made, None, 0)
    assert not found.learnt
    assert found.table["note"].to_pylist() == TEXTS[100:160]
    assert found.target.tolist() == target[100:160].tolist()
    assert found.calibration["note"].to_pylist() == TEXTS[:100] + TEXTS[160:]
    assert kept_out.kept_out(source, made, target[:-1]) is None
    assert (
        "has not learnt"
        in _said(Report(check="c", subject="s", verdict="info", findings=()), learnt=found.learnt).findings[-1].what
    )


@pytest.mark.parametrize("static", [False, True])
def test_the_new_version_is_a_model_like_any_other(source: Workspace, tmp_path: Path, static: bool) -> None:
    found = compress(source, "letters/1", static=static)
    assert (found.model, found.source) == ("letters/2", "letters/1")
    assert found.form.startswith("int8, static" if static else "int8, dynamic")
    assert found.loss <= 0.01
    assert found.size < 0.45  # the nodes weigh something beside weights this small
    assert found.same >= 0.99
    assert found.report.figures["min_same"] == 0.99
    assert found.learnt
    assert any("has learnt from" in one.what for one in found.report.findings)  # no other rows were given
    figures = found.report.figures
    assert figures["bytes"]["after"] / figures["bytes"]["before"] == found.size
    assert {"score", "rows_per_second", "row_seconds"} <= set(figures)
    version = source.models.get("letters/2")
    assert version.tags == {"seed": 3, "source": "letters/1", "form": found.form}
    assert version.dataset == source.models.get("letters/1").dataset
    run = source.runs.get(version.run)
    assert (run.operation, run.state, run.request["model"]) == ("compress", "finished", "letters/1")
    # predict, evaluate, explain, export, verify, one row
    answers = predict(source, "letters/2", ROWS)
    assert answers.rows == 300
    assert evaluate(source, "letters/2", ROWS, bootstrap=0).metrics["accuracy"] >= 0.97
    told = explain(source, "letters/2", ROWS, budget=120).report
    drawings = {evidence.drawing for finding in told.findings for evidence in finding.evidence}
    assert "spans" in drawings, "a compressed model shows the words that its answers rest on"
    assert export(source, "letters/2", output=tmp_path / "out").parity <= 1e-6
    assert models_verify(source, "letters/2").payloads >= 3
    row = runtime(source, "letters/2").predict_row(ROWS.slice(0, 1).to_pylist()[0])
    assert row["prediction"] in ("few", "many")
    with pytest.raises(Unsupported, match="letters/2 is compressed already") as again:
        compress(source, "letters/2")
    assert found.form in str(again.value)
    assert "Compress letters/1 with other bounds" in str(again.value)
    assert len(source.runs.list(operation="compress")) == 1, "a refusal is no run"
    # the graph is kept once: the payload and the model's own graph are the same bytes
    manifest = artifact.read_manifest(source.blobs, version.artifact)
    assert manifest.payloads["0.graph/model.onnx"].digest == manifest.extra[GRAPH].digest


def test_where_all_lose_too_much_nothing_is_made(source: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form is tried, what it lost is said, and the run tells that it failed."""
    from luban.export.compress import press

    monkeypatch.setattr(press.measure, "loss", lambda *_: 0.5)
    with pytest.raises(Unsupported, match=r"no int8 form of letters/1 loses at most 0\.01 of accuracy") as caught:
        compress(source, "letters/1")
    assert "dynamic loses 0.5" in str(caught.value)
    assert "weights loses 0.5" in str(caught.value)
    assert [one.version for one in source.models.versions("letters")] == [1]
    assert [run.state for run in source.runs.list(operation="compress")] == ["failed"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("error", "state"), [(OSError("no space left"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_where_the_new_version_cannot_be_registered_the_run_has_ended(
    source: Workspace, monkeypatch: pytest.MonkeyPatch, error: BaseException, state: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(registering, "register", broken)
    with pytest.raises(type(error)):
        compress(source, "letters/1")
    with pytest.raises(type(error)):
        models_threshold(source, "letters/1", 0.4)
    ended = [(run.operation, run.state) for run in source.runs.list()]
    assert sorted(ended) == [("compress", state), ("threshold", state)]


def test_what_int8_makes_no_smaller_is_refused(source: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The few weights of a model that is mostly trees and words cost more in int8 than they save."""
    from luban.export.compress import press

    def padded(graph: bytes, *_: Any, **__: Any) -> Any:
        yield form("dynamic", graph)
        yield form("weights", graph + b"more")

    def form(name: str, content: bytes) -> Any:
        return SimpleNamespace(name=name, words="", make=lambda: content)

    monkeypatch.setattr(press, "forms", padded)
    with pytest.raises(Unsupported, match=r"int8 makes letters/1 no smaller; seen: .* bytes in place of"):
        compress(source, "letters/1")
    assert [one.version for one in source.models.versions("letters")] == [1]


def test_labels_that_become_others_are_bounded_too(source: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that loses nothing of the metric but answers otherwise too often is refused, with the share."""
    from luban.export.compress import press

    monkeypatch.setattr(press.measure, "agreement", lambda *_: 0.985)
    with pytest.raises(Unsupported, match=r"at least 99\.0% of the labels the same") as caught:
        compress(source, "letters/1")
    assert "98.5% of the labels the same" in str(caught.value)
    assert [one.version for one in source.models.versions("letters")] == [1]
    assert compress(source, "letters/1", min_same=0.98).same == 0.985


@pytest.mark.parametrize(
    ("kind", "expected", "found", "share"),
    [
        ("multiclass", [0, 1, 1, 2], [0, 1, 2, 2], 3 / 4),
        ("multilabel", [[True, False, False], [True, True, False]], [[True, False, False], [True, False, True]], 2 / 4),
        ("tokens", [[0, 1, -1], [2, -1, -1]], [[0, 0, -1], [2, -1, -1]], 2 / 3),
        ("matching", [-1, 3], [-1, 2], 1 / 2),
        ("multilabel", [[False]], [[False]], 1.0),
    ],
)
def test_what_nobody_says_is_no_equal_label(kind: Any, expected: Any, found: Any, share: float) -> None:
    """Places without a word, and labels that neither gives, would make any two models alike."""
    from luban.export.compress.measure import agreement

    task = Task(kind=kind, target="y", inputs=("x",), metric="accuracy", classes=("a", "b", "c", "d"))
    assert agreement(task, np.array(expected), np.array(found)) == pytest.approx(share)


def test_what_makes_no_sense_is_refused(source: Workspace) -> None:
    with pytest.raises(InputError, match="nothing is asked for"):
        compress(source, "letters/1", int8=False)
    with pytest.raises(InputError, match="from 0 on"):
        compress(source, "letters/1", max_loss=-1)
    with pytest.raises(InputError, match="from 0 to 1"):
        compress(source, "letters/1", min_same=1.5)
    with pytest.raises(InputError, match="from 0 on"):
        compress(source, "letters/1", max_loss=float("nan"))
