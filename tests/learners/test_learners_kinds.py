"""Several labels a row, a label a word and ranked answers: learnt, saved, blended, exported and answered the same."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.data.words import WORDS
from luban.evaluation.metrics import metric
from luban.learners import artifact, link
from luban.learners.composite import Composite, load
from luban.learners.decisions import decide
from luban.learners.fitted import Fitted, fitted

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.protocols import Model

COLOURS, PLACES, FILLERS = ("red", "green", "blue"), ("rome", "paris", "oslo"), ("the", "a", "was", "quite", "seen")
VOCABULARY = " ".join((*COLOURS, *PLACES, *FILLERS, "where", "is", "what", "answer"))
TEXT = Column(name="text", kind="text")


def problem(kind: str, rows: int = 120, seed: int = 0) -> tuple[Task, Schema, pa.Table, np.ndarray]:
    """Return texts whose words tell the labels."""
    random = np.random.default_rng(seed)
    texts, targets = [], []
    for _ in range(rows):
        words = [str(random.choice((*FILLERS, *COLOURS, *PLACES))) for _ in range(random.integers(2, 7))]
        texts.append(" ".join(words))
        targets.append(words)
    if kind == "multilabel":
        labels = (*COLOURS, *PLACES)
        target = np.array([[float(label in words) for label in labels] for words in targets])
        task = Task(kind="multilabel", target="y", inputs=("text",), metric="f1_micro", classes=labels)
        return task, Schema(columns=(TEXT,)), pa.table({"text": texts}), target
    if kind == "tokens":
        task = Task(kind="tokens", target="y", inputs=("text",), metric="accuracy", classes=("O", "colour", "place"))
        codes = [[1 if word in COLOURS else 2 if word in PLACES else 0 for word in words] for words in targets]
        target = np.full((rows, max(map(len, codes))), -1)
        for place, row in enumerate(codes):
            target[place, : len(row)] = row
        schema = Schema(columns=(Column(name="text", kind="text", storage=WORDS),))
        return task, schema, pa.table({"text": texts}), target
    answers = tuple(f"{colour} {place}" for colour in COLOURS for place in PLACES)
    target = random.integers(0, len(answers), rows)
    texts = [f"where is the {answers[code]}" for code in target]
    task = Task(kind="matching", target="y", inputs=("text",), metric="mrr", classes=answers)
    return task, Schema(columns=(TEXT,)), pa.table({"text": texts}), target


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let every default be a tiny random backbone, so that no weights are needed."""
    pytest.importorskip("transformers")
    from luban.foundation import zoo
    from luban.foundation.backbones import tiny as made
    from luban.learners.adapted import choice

    class Tiny:
        def card(self) -> object:
            return self.load().card

        def load(self, **options: object) -> object:
            return made.text([VOCABULARY])

    choice._kept.cache_clear()
    monkeypatch.setattr(zoo, "default", lambda kind, sample=(): Tiny())
    monkeypatch.setattr(zoo, "find", lambda name: Tiny())
    yield
    choice._kept.cache_clear()


FINE = {"way": "full", "learning_rate": 3e-3, "epochs": 8.0, "batch": 16}
CASES: list[Any] = [
    ("multilabel", "constant", {}),
    ("multilabel", "text_ngrams", {}),
    pytest.param("multilabel", "linear_probe", {"strength": 1.0}, marks=pytest.mark.long),
    pytest.param("multilabel", "fine_tune", FINE, marks=pytest.mark.long),
    pytest.param("tokens", "fine_tune", FINE, marks=pytest.mark.long),
    ("matching", "matching", {}),
    ("matching", "constant", {}),
]


def learnt(kind: str, learner: str, parameters: dict[str, Any], tmp_path: Path) -> tuple[Model, pa.Table, np.ndarray]:
    task, schema, table, target = problem(kind)
    _, _, other, judged = problem(kind, rows=50, seed=1)
    model = plugins.create("learners", learner).fit(
        task,
        schema,
        Examples(table=table, target=target),
        Examples(table=other, target=judged),
        parameters=parameters,
        effort=Effort(seed=1, cache=str(tmp_path)),
    )
    return model, other, judged


def whole(task: Task, schema: Schema, *models: Model, **options: Any) -> Fitted:
    return fitted(Composite(members=models, weights=(0.7, 0.3)[: len(models)], task=task, **options), schema)


class Kept:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def put(self, content: Any) -> str:
        name = f"sha256:{len(self.held):064x}"
        self.held[name] = content
        return name

    put_json = put

    def get(self, digest: str) -> Any:
        return self.held[digest]

    get_json = get


@pytest.mark.parametrize(("kind", "learner", "parameters"), CASES)
def test_learnt_saved_and_exported(kind: str, learner: str, parameters: dict[str, Any], tmp_path: Path) -> None:
    """It learns, answers the same after saving, and its graph, served, answers the same again."""
    from luban.export.onnx.build import build
    from luban.export.onnx.parity import measure
    from luban.serving.runtime import Runtime

    task, schema, _, _ = problem(kind)
    model, table, target = learnt(kind, learner, parameters, tmp_path)
    found = model.predict(table)
    if learner != "constant":
        least = {"multilabel": 0.6, "tokens": 0.9, "matching": 0.6}[kind]
        assert metric(task.metric)(task, target, found) > least
    made = whole(task, schema, model, temperature=1.3, threshold=None if kind == "tokens" else 0.4)
    again = artifact.read(kept := Kept(), artifact.write(kept, made))
    assert np.allclose(again.model.predict(table), made.model.predict(table), atol=1e-6, equal_nan=True)
    graph = build(made)
    assert measure(made, graph, table).holds
    plain, served = Runtime(made), Runtime(made, graph)
    rows = [{"text": text} for text in (*table["text"].to_pylist()[:5], "", None)]
    expected = made.predict(rows).to_table()
    assert [field.name for field in expected.schema] == [column.name for column in made.signature.outputs]
    for runtime in (plain, served):
        told = [runtime.predict_row(row) for row in rows]
        assert [one["prediction"] for one in told] == expected["prediction"].to_pylist()
        assert len(runtime.answer([]).outputs["prediction"]) == 0 if kind == "none" else runtime.empty.rows == 0
        answered = runtime.answer(rows)
        assert answered.rows == len(rows)
        assert all(np.isfinite(one).all() for one in answered.outputs.values() if one.dtype.kind == "f")
    assert model.predict(table.slice(0, 0)).shape[0] == 0


def test_a_constant_knows_the_shares_of_labels_and_words(tmp_path: Path) -> None:
    _, _, _, target = problem("multilabel")
    model, table, _ = learnt("multilabel", "constant", {}, tmp_path)
    assert np.allclose(model.predict(table), target.mean(axis=0))
    model, table, judged = learnt("tokens", "constant", {}, tmp_path)
    found = model.predict(table)
    assert np.array_equal(np.isfinite(found[:, :, 0]), judged >= 0)
    assert np.allclose(np.nansum(found, axis=2)[judged >= 0], 1.0)


@pytest.mark.long
def test_words_are_judged_by_the_members_that_read_them(tmp_path: Path) -> None:
    """Members that read texts of different lengths blend, with NumPy and as a graph, word by word."""
    from luban.export.onnx.build import build
    from luban.export.onnx.parity import measure

    task, schema, _, _ = problem("tokens")
    long, table, _ = learnt("tokens", "fine_tune", FINE, tmp_path)
    short, _, _ = learnt("tokens", "fine_tune", {**FINE, "max_length": 5}, tmp_path)
    made = whole(task, schema, long, short)
    first, second, both = long.predict(table), short.predict(table), made.model.predict(table)
    assert second.shape[1] == 3
    assert np.allclose(both[:, :3], 0.7 * first[:, :3] + 0.3 * second, equal_nan=True)
    assert np.allclose(both[:, 3:], first[:, 3:], equal_nan=True)
    assert measure(made, build(made), table).holds
    alone = whole(task, schema, short).predict({"text": ["red rome the paris oslo"]})
    assert alone.prediction.to_pylist()[0][3:] == [None, None]
    assert "longer than the model reads" in alone.notes[-1]


def test_labels_are_given_from_the_threshold_and_answers_rejected_below_it() -> None:
    labels = Task(kind="multilabel", target="y", inputs=("x",), metric="f1_micro", classes=("a", "b"))
    values = np.array([[0.4, 0.1], [0.6, 0.5]])
    assert decide(labels, values, None).tolist() == [[False, False], [True, True]]
    assert decide(labels, values, 0.3).tolist() == [[True, False], [True, True]]
    answers = Task(kind="matching", target="y", inputs=("x",), metric="mrr", classes=("a", "b", "c", "d"))
    values = np.array([[0.3, 0.4, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])
    assert decide(answers, values, 0.5).tolist() == [-1, 0]
    made = fitted(
        Composite(members=(Fixed(answers, values),), weights=(1.0,), task=answers, threshold=0.5),
        Schema(columns=(Column(name="x", kind="number"),)),
    )
    found = made.predict({"x": [1.0, 2.0]}).to_table()
    assert found["prediction"].to_pylist() == [None, "a"]
    assert found["score"].to_pylist() == [0.4, 0.7]
    assert [one["answer"] for one in found["alternatives"][0].as_py()] == ["b", "a", "c"]


class Fixed:
    """A model that always gives the same predictions."""

    learner = "constant"
    learned: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, task: Task, values: np.ndarray) -> None:
        self.task, self.values = task, values

    def predict(self, table: pa.Table) -> np.ndarray:
        return self.values[: table.num_rows]


@pytest.mark.parametrize("kind", ["multilabel", "matching"])
def test_margins_are_the_inverse_of_predictions(kind: str) -> None:
    task, _, _, _ = problem(kind)
    margins = np.random.default_rng(0).normal(size=(7, link.width(task)))
    given = link.predictions(task, margins)
    assert np.allclose(link.predictions(task, link.margins(task, given)), given, atol=1e-6)


def test_a_composite_of_words_is_read_back_whole(tmp_path: Path) -> None:
    task, schema, _, _ = problem("tokens")
    model, table, _ = learnt("tokens", "constant", {}, tmp_path)
    made = whole(task, schema, model, temperature=2.0)
    assert np.array_equal(load(made.model.save()).predict(table), made.model.predict(table), equal_nan=True)


def test_matching_forecasts_what_reading_takes_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is measured on these questions and on these answers, not taken from a table; what was read is kept."""
    from luban.core.protocols import Forecast, Plannable, Suitable
    from luban.learners.adapted import matching

    task, schema, table, target = problem("matching")
    learner = plugins.create("learners", "matching")
    assert isinstance(learner, Plannable)
    assert isinstance(learner.suits(task, schema, 10_000_000, 30.0), Suitable), "what it takes is measured, not guessed"
    within = matching.frozen.within
    seen: list[int] = []

    def slow(made: Any, rows: pa.Table, effort: Effort, *, seconds: float) -> Any:
        ready = within(made, rows.slice(0, 16), effort, seconds=seconds)
        seen.append(rows.num_rows)
        return matching.frozen.Ready(rows=ready.rows, matrix=ready.matrix, seconds=(0.5, 2.0)[len(seen) - 1])

    monkeypatch.setattr(matching.frozen, "within", slow)
    effort = Effort(deadline=time.monotonic() + 600, seed=1, cache=str(tmp_path))
    found = learner.forecast(task, schema, Examples(table=table, target=target), parameters={}, effort=effort)
    assert isinstance(found, Forecast)
    assert seen == [len(table), len(task.classes)]
    read = min(16, len(task.classes))
    wanted = len(table) * 0.5 / 16 + len(task.classes) * 2.0 / read
    assert wanted <= found.seconds < wanted + 300
    assert found.memory > 0
    assert any(tmp_path.rglob("*"))
