"""Labels of a row, labels of words and ranked answers: drift of the answers, estimates, quality once labels come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core.errors import Unavailable
from luban.core.task import Task
from luban.evaluation.metrics import metric
from luban.learners.decisions import best
from luban.learners.logged import shortened, values
from luban.monitoring.outputs import answers
from luban.operations.fit import fit
from luban.operations.monitor import monitor
from luban.operations.monitoring import embedded
from luban.operations.monitoring.baselines import keep_out_of_fold, out_of_fold
from luban.store import Workspace
from luban.store.predictions import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

START = datetime(2026, 3, 1, tzinfo=UTC)
WORDS = np.array(["tea", "rain", "stone", "lamp", "road", "song", "ink", "bread"])
KINDS = ("multilabel", "tokens", "matching")
CLASSES: dict[str, tuple[str, ...]] = {
    "multilabel": ("dry", "long", "wet"),
    "tokens": ("B-PER", "I-PER", "O"),
    "matching": tuple(f"answer {place:02d}" for place in range(12)),
}
OWN = {"multilabel": "f1_micro", "tokens": "entity_f1", "matching": "mrr"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """Texts, what is true of them, and what a model that is mostly right would say."""

    texts: list[str]
    target: np.ndarray
    prediction: np.ndarray

    def labels(self, kind: str) -> list[Any]:
        named = CLASSES[kind]
        if kind == "matching":
            return [named[code] for code in self.target]
        if kind == "tokens":
            return [[named[code] for code in row if code >= 0] for row in self.target]
        return [[label for label, true in zip(named, row, strict=True) if true] for row in self.target]


def said(kind: str, count: int, seed: int, *, wrong: float = 0.1, longest: int = 8) -> Said:
    """Return texts of 2 words and more, and predictions of which about such a share is wrong, and knows it."""
    random = np.random.default_rng(seed)
    lengths = random.integers(2, longest + 1, count)
    texts = [" ".join(random.choice(WORDS, length)) for length in lengths]
    classes = len(CLASSES[kind])
    if kind == "multilabel":
        target = (random.random((count, classes)) < 0.4).astype(float)
        sure = random.uniform(1 - 2 * wrong, 1, target.shape)
        right = random.random(target.shape) < sure
        prediction = np.where((target > 0) == right, sure, 1 - sure)
        return Said(texts=texts, target=target, prediction=prediction)
    shape = (count, longest) if kind == "tokens" else (count,)
    target = random.integers(0, classes, shape)
    sure = random.uniform(1 - 2 * wrong, 1, shape)
    right = random.random(shape) < sure
    told = np.where(right, target, (target + random.integers(1, classes, shape)) % classes)
    rest = random.dirichlet(np.ones(classes), shape) * (1 - sure)[..., None]
    prediction = rest * (np.arange(classes) != told[..., None])
    np.put_along_axis(prediction, told[..., None], 1 - prediction.sum(axis=-1, keepdims=True), axis=-1)
    if kind == "tokens":
        target = np.where(np.arange(longest) < lengths[:, None], target, -1)
        prediction[target < 0] = np.nan
    return Said(texts=texts, target=target, prediction=prediction)


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, str]]:
    """A deployed model of a kind whose out-of-fold predictions are `said`; what it would say itself is not asked."""
    kind = request.param
    rows = said(kind, 1500, seed=0)
    table = pa.table({"text": rows.texts, "y": rows.labels(kind)})
    with Workspace.open(tmp_path_factory.mktemp(kind) / ".luban") as workspace:
        options: dict[str, Any] = {"learners": ("constant",), "rounds": 1, "metric": OWN[kind], "task": kind}
        fit(workspace, table, target="y", name="m", **options)
        run = workspace.models.get("m/1").run
        assert run is not None
        keep_out_of_fold(workspace, run, rows.target, rows.prediction, 0)
        workspace.deployments.set("m", {"m/1": 1.0})
        yield workspace, kind


@pytest.fixture(autouse=True)
def without_backbones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts are compared by runs of characters: they are not what these tests are about."""

    def unread(*_: Any, **__: Any) -> Any:
        raise Unavailable("no backbone is asked here")

    monkeypatch.setattr(embedded, "_learnt", unread)


def logged(workspace: Workspace, rows: Said, name: str) -> list[str]:
    """Store rows and answers as the server would."""
    workspace.deployments.set(name, {"m/1": 1.0})
    task = workspace.models.get("m/1").task
    told = answers(task, rows.prediction)
    if task.kind == "multilabel":
        told = told.append_column("prediction", pa.array([[]] * told.num_rows, pa.list_(pa.string())))
    count = len(rows.texts)
    ids = [f"{name}-{place}" for place in range(count)]
    table = pa.Table.from_pylist(
        [
            {"request_id": one, "row": 0, "moment": START + timedelta(minutes=place), "deployment": name}
            | {"model": "m/1", "arm": "champion", "latency_ms": 1.0}
            for place, one in enumerate(ids)
        ],
        schema=COLUMNS,
    ).append_column("input.text", pa.array(rows.texts))
    for column in told.column_names:
        table = table.append_column(f"output.{column}", told[column])
    workspace.predictions.append(table)
    return ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_gives_back_what_it_holds_of_a_prediction(kind: str) -> None:
    """The best labels and answers with their probabilities, exactly, in their order; all others behind them."""
    task = Task(kind=kind, target="y", inputs=("text",), metric="accuracy", classes=CLASSES[kind])  # type: ignore[arg-type]
    rows = said(kind, 200, seed=3, wrong=0.3)
    found = values(task, answers(task, rows.prediction))
    assert found is not None
    np.testing.assert_allclose(found, shortened(task, rows.prediction), rtol=1e-12)
    if kind == "multilabel":
        np.testing.assert_array_equal(found, rows.prediction)
        return
    kept = 3 if kind == "matching" else 1
    flat, whole = (one.reshape(-1, one.shape[-1]) for one in (found, rows.prediction))
    read = np.isfinite(whole).all(axis=1)
    np.testing.assert_array_equal(np.isfinite(flat).all(axis=1), read)
    order = best(whole[read], kept)
    np.testing.assert_array_equal(best(flat[read], kept), order)
    for one in (flat, whole):
        assert np.all(np.take_along_axis(one[read], order, axis=1) >= one[read].min(axis=1, keepdims=True))
    np.testing.assert_array_equal(
        np.take_along_axis(flat[read], order, axis=1), np.take_along_axis(whole[read], order, axis=1)
    )


def test_rows_that_were_not_learnt_from_are_kept_as_the_log_would_have_them(made: tuple[Workspace, str]) -> None:
    workspace, kind = made
    version = workspace.models.get("m/1")
    rows = said(kind, 1500, seed=0)
    known = out_of_fold(workspace, version)
    assert known is not None
    width = known[0].shape[1] if kind == "tokens" else None
    np.testing.assert_array_equal(known[0], rows.target[:, :width] if width else rows.target)
    np.testing.assert_allclose(known[1], shortened(version.task, rows.prediction)[:, : known[1].shape[1]])


def test_the_same_kind_of_answers_is_calm_and_its_quality_is_told_by_labels(made: tuple[Workspace, str]) -> None:
    """The scores are those of the metrics themselves, inside their intervals; the estimate without labels is near."""
    workspace, kind = made
    rows = said(kind, 600, seed=1)
    ids = logged(workspace, rows, "calm")
    workspace.labels.add("calm", ids, None, rows.labels(kind))
    found = monitor(workspace, "calm")
    figures = found.report.figures
    assert found.verdict in ("pass", "info"), [one.what for one in found.report.findings]
    assert figures["prediction_drift"] < 0.1
    task = workspace.models.get("m/1").task
    own = figures["quality"]["metrics"][OWN[kind]]
    whole = float(metric(OWN[kind], task)(task, rows.target, rows.prediction))
    assert own == pytest.approx(whole, abs=0.005 if kind == "matching" else 1e-9)  # an answer behind the third is last
    low, high = figures["quality"]["intervals"][OWN[kind]]
    assert low <= own <= high
    assert not figures["quality"]["worse"]
    accuracy = float(metric("accuracy", task)(task, rows.target, rows.prediction))
    estimated = figures["estimated"]["accuracy"]
    assert estimated["value"] == pytest.approx(accuracy, abs=0.04)
    assert figures["stream"]["errors"] > 0
    assert not any(figures["stream"]["alarms"].values())


def test_answers_that_became_worse_are_told_with_the_texts_where_they_are(made: tuple[Workspace, str]) -> None:
    """Of texts of more than 5 words the labels are those of others: quality falls, and that slice is named."""
    workspace, kind = made
    rows = said(kind, 600, seed=2)
    ids = logged(workspace, rows, "worse")
    labels, turned = rows.labels(kind), said(kind, 600, seed=9).labels(kind)
    long = [len(text.split()) > 5 for text in rows.texts]
    if kind == "tokens":
        turned = [[CLASSES[kind][(CLASSES[kind].index(one) + 1) % 3] for one in row] for row in labels]
    workspace.labels.add(
        "worse", ids, None, [other if more else one for one, other, more in zip(labels, turned, long, strict=True)]
    )
    found = monitor(workspace, "worse")
    quality = found.report.figures["quality"]
    assert quality["worse"]
    assert found.verdict == "warn"
    assert any("words of text" in one["slice"] for one in quality["slices"]), quality["slices"]


def test_answers_that_moved_are_told_without_labels(made: tuple[Workspace, str]) -> None:
    """A model that has become unsure: its answers have moved, and the estimate is below what was expected."""
    workspace, kind = made
    logged(workspace, said(kind, 600, seed=4, wrong=0.4), "moved")
    found = monitor(workspace, "moved")
    assert found.report.figures["prediction_drift"] > 0.1
    estimated = found.report.figures["estimated"]["accuracy"]
    assert estimated["high"] < estimated["expected"]
    assert found.verdict == "warn"


def test_a_file_with_labels_is_judged(made: tuple[Workspace, str]) -> None:
    """The model that answers is the constant one, which is worse than what was kept as its expected quality."""
    workspace, kind = made
    rows = said(kind, 300, seed=5)
    found = monitor(workspace, "m", pa.table({"text": rows.texts, "y": rows.labels(kind)}))
    assert found.report.figures["quality"]["rows"] == 300
    assert found.report.figures["quality"]["worse"]


def test_a_log_of_the_best_answer_alone_is_said_to_tell_no_quality(tmp_path: Any) -> None:
    """As logs were before they held alternatives: nobody waits in vain for a figure."""
    rows = said("matching", 120, seed=6)
    with Workspace.open(tmp_path / ".luban") as workspace:
        table = pa.table({"text": rows.texts, "y": rows.labels("matching")})
        fit(workspace, table, target="y", name="m", learners=("constant",), rounds=1, task="matching")
        ids = logged(workspace, rows, "old")
        log = workspace.predictions.read("old").drop_columns(["output.alternatives"])
        old = log.set_column(log.column_names.index("deployment"), "deployment", pa.array(["older"] * log.num_rows))
        workspace.deployments.set("older", {"m/1": 1.0})
        workspace.predictions.append(old)
        workspace.labels.add("older", ids, None, rows.labels("matching"))
        report = monitor(workspace, "older").report
    assert "quality" not in report.figures
    assert any("luban evaluate m/1" in one.what for one in report.findings)
