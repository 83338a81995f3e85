"""Learners that stand on a backbone, with a tiny random one: they learn, are saved, loaded and exported."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples, Recounting, Unsuitable
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.testing.learner import loss_of, turned
from luban.testing.recounting import check_recounts
from luban.testing.updatable import check_goes_on

pytest.importorskip("torch")
pytest.importorskip("transformers")

if TYPE_CHECKING:
    from pathlib import Path

    from luban.core.protocols import Model
    from luban.foundation.adapted import Adapted

GOOD, BAD = ("good", "fine", "lovely", "great"), ("bad", "poor", "awful", "dull")
OTHERS = ("film", "book", "meal", "day", "song", "was", "the", "quite")


def rows(count: int, seed: int = 0) -> tuple[pa.Table, np.ndarray]:
    """Return texts whose class is told by one word, a number that tells it too, and the classes."""
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, count)
    texts = [
        " ".join([*random.choice(OTHERS, 3), str(random.choice((BAD, GOOD)[code])), *random.choice(OTHERS, 2)])
        for code in target
    ]
    number = target + random.normal(0, 0.7, count)
    return pa.table({"text": texts, "number": number}), target


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every default be a tiny random backbone, so that no weights are needed."""
    from luban.foundation import zoo
    from luban.foundation.backbones import tiny as made
    from luban.learners.adapted import choice

    class Tiny:
        def card(self) -> object:
            return self.load().card

        def load(self, **options: object) -> object:
            return made.text([" ".join((*GOOD, *BAD, *OTHERS))])

    choice._kept.cache_clear()
    monkeypatch.setattr(zoo, "default", lambda kind, sample=(): Tiny())
    monkeypatch.setattr(zoo, "find", lambda name: Tiny())
    yield
    choice._kept.cache_clear()


def problem(*columns: Column, metric: str = "log_loss") -> tuple[Task, Schema]:
    task = Task(
        kind="binary",
        target="y",
        inputs=tuple(column.name for column in columns),
        metric=metric,
        classes=("bad", "good"),
    )
    return task, Schema(columns=columns)


TEXT, NUMBER = Column(name="text", kind="text"), Column(name="number", kind="number")


def fitted(learner: str, columns: tuple[Column, ...], tmp_path: Path, **parameters: object) -> tuple[Model, pa.Table]:
    task, schema = problem(*columns)
    table, target = rows(160)
    other, judged = rows(60, seed=1)
    table, other = table.select(schema.names), other.select(schema.names)
    model = plugins.create("learners", learner).fit(
        task,
        schema,
        Examples(table=table, target=target),
        Examples(table=other, target=judged),
        parameters=parameters,
        effort=Effort(seed=1, cache=str(tmp_path)),
    )
    assert np.mean(model.predict(other).argmax(axis=1) == judged) > 0.75
    return model, other


def texts(count: int, seed: int) -> Examples:
    """Return rows without the number."""
    table, target = rows(count, seed)
    return Examples(table=table.select(["text"]), target=target)


CASES = [
    ("text_ngrams", (TEXT,), {}),
    ("few_shot", (TEXT,), {"way": "few_shot", "pairs": 2000, "learning_rate": 1e-3}),
    ("linear_probe", (TEXT,), {}),
    ("late_fusion", (TEXT, NUMBER), {"learning_rate": 3e-3, "epochs": 30}),
    ("fine_tune", (TEXT,), {"way": "full", "learning_rate": 3e-3, "epochs": 6.0, "batch": 16}),
]


@pytest.mark.parametrize(("learner", "columns", "parameters"), CASES)
def test_what_was_saved_answers_the_same(
    learner: str, columns: tuple[Column, ...], parameters: dict[str, object], tmp_path: Path
) -> None:
    """A model learns, survives saving and loading within 1e-6, and answers rows without a text and no rows at all."""
    model, table = fitted(learner, columns, tmp_path, **parameters)
    if isinstance(model, Recounting):
        check_recounts(model)
        assert {"training_loss", "learning_rate", "rows_per_second"} <= set(model.curves)
    networks = ("few_shot", "fine_tune", "late_fusion")
    assert isinstance(model, Recounting) == (learner in networks), "networks tell how they learnt"
    payloads = model.save()
    assert all(name.rpartition(".")[2] in {"json", "npz", "safetensors", "txt"} for name in payloads)
    again = plugins.create("learners", learner).load(payloads)
    assert np.abs(again.predict(table) - model.predict(table)).max() <= 1e-6
    missing = table.slice(0, 3).set_column(0, "text", pa.array(["", None, "good"], pa.string()))
    assert np.isfinite(model.predict(missing)).all()
    assert model.predict(table.slice(0, 0)).shape == (0, 2)


@pytest.mark.long
@pytest.mark.parametrize(("learner", "columns", "parameters"), CASES)
def test_the_graph_answers_as_the_model(
    learner: str, columns: tuple[Column, ...], parameters: dict[str, object], tmp_path: Path
) -> None:
    """The ONNX form agrees with Python within 1e-4, also where a text is missing."""
    from luban.export.onnx.build import build
    from luban.export.onnx.parity import measure
    from luban.learners.composite import Composite
    from luban.learners.fitted import fitted as make_fitted

    model, table = fitted(learner, columns, tmp_path, **parameters)
    task, schema = problem(*columns)
    whole = make_fitted(Composite(members=(model,), weights=(1.0,), task=task), schema)
    missing = table.slice(0, 3).set_column(0, "text", pa.array(["", None, "good"], pa.string()))
    assert measure(whole, build(whole), pa.concat_tables([table, missing])).difference <= 1e-4


CONTINUED = [
    ("text_ngrams", {}),
    ("linear_probe", {}),
    ("fine_tune", {"way": "full", "learning_rate": 3e-3, "epochs": 6.0, "batch": 16}),
    ("fine_tune", {"way": "lora", "learning_rate": 1e-2, "epochs": 6.0, "batch": 16}),
]


@pytest.mark.long
@pytest.mark.parametrize(("learner", "parameters"), CONTINUED)
def test_it_goes_on_learning(learner: str, parameters: dict[str, object], tmp_path: Path) -> None:
    """Rows whose words mean the opposite now turn its predictions: a conformance check, as for models of tables."""
    model, _ = fitted(learner, (TEXT,), tmp_path, **parameters)
    task, _ = problem(TEXT)
    old, new, unseen = (texts(count, seed) for count, seed in ((20, 0), (160, 5), (100, 6)))
    new, unseen = turned(task, new), turned(task, unseen)
    made = plugins.create("learners", learner)
    after = check_goes_on(made, model, task, new, unseen, loss_of, replay=old, apart=1e-6)
    assert after.learned == model.learned, "what a refit is told stays"


@pytest.mark.long
@pytest.mark.parametrize("trainings", [0, 1])
def test_what_cannot_be_judged_in_time_is_not_learnt(
    trainings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the deadline comes while the network before, or the one that was trained, is judged, the model stays."""
    model, _ = fitted("fine_tune", (TEXT,), tmp_path, way="full", learning_rate=3e-3, epochs=6.0, batch=16)
    effort = Effort(deadline=time.monotonic() + 3600.0, seed=3)
    hours = [2.0] if not trainings else [0.0]
    trained = 0

    def turned_round(adapted: Adapted, *_: object, **__: object) -> Adapted:
        """Return a network that says the opposite, and so is better on rows that were turned; hours pass."""
        nonlocal trained
        trained += 1
        hours[0] = 2.0
        network = deepcopy(adapted.network)
        for one in network.head.parameters():
            one.data.neg_()
        return replace(adapted, network=network)

    now = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now + 3600.0 * hours[0])
    monkeypatch.setattr("luban.foundation.training.evaluate.time", clock)
    monkeypatch.setattr("luban.foundation.further.further", turned_round)
    assert model.update(turned(problem(TEXT)[0], texts(100, 5)), effort=effort) is model
    assert trained == trainings


def test_contributions_of_a_probe_sum_to_its_margin(tmp_path: Path) -> None:
    """What the columns add and the base are the log-odds."""
    model, table = fitted("linear_probe", (TEXT,), tmp_path)
    values, base = model.contributions(table)
    chance = model.predict(table)[:, 1]
    assert np.allclose(values.sum(axis=1)[:, 0] + base[0], np.log(chance / (1 - chance)), atol=1e-4)


def test_shares_of_the_modalities_sum_to_the_margin(tmp_path: Path) -> None:
    """Shapley values over text and table are exact, and a text that is missing has none."""
    model, table = fitted("late_fusion", (TEXT, NUMBER), tmp_path, learning_rate=3e-3, epochs=30)
    table = table.slice(0, 4).set_column(0, "text", pa.array([None, "a good day", "a bad day", ""], pa.string()))
    names, values, base = model.modality_contributions(table)
    chance = model.predict(table)[:, 1]
    assert names == ("table", "text")
    assert np.allclose(values.sum(axis=1)[:, 0] + base[0], np.log(chance / (1 - chance)), atol=1e-4)
    assert values[[0, 3], 1, 0].tolist() == [0.0, 0.0]


def test_vectors_are_read_once(tmp_path: Path) -> None:
    """A second probe of the same rows finds all vectors in the cache."""
    first, _ = fitted("linear_probe", (TEXT,), tmp_path)
    shelf = next((tmp_path / "features").iterdir())
    size = (shelf / "vectors").stat().st_size
    second, _ = fitted("linear_probe", (TEXT,), tmp_path)
    assert (shelf / "vectors").stat().st_size == size > 0
    assert first.learned == second.learned


def test_reasons_are_told() -> None:
    """A learner says why it does not suit: no such column, too many, one modality only, a wish it cannot keep."""
    task, numbers = problem(NUMBER)
    for learner in ("linear_probe", "fine_tune", "late_fusion", "image_network", "audio_network"):
        answer = plugins.create("learners", learner).suits(task, numbers, 1000, 60.0)
        assert isinstance(answer, Unsuitable)
        assert answer.reason
    task, texts = problem(TEXT)
    assert "one modality" in plugins.create("learners", "late_fusion").suits(task, texts, 1000, 60.0).reason
    three = Schema(columns=tuple(Column(name=f"text{place}", kind="text") for place in range(3)))
    assert "3 of text" in plugins.create("learners", "fine_tune").suits(task, three, 1000, 60.0).reason
    only = Schema(columns=(Column(name="picture", kind="image"),))
    assert "image" in plugins.create("learners", "lightgbm").suits(task, only, 1000, 60.0).reason


def test_names_of_classes_are_enough(tmp_path: Path) -> None:
    """Zero-shot learns from no row, and its linear form says what the cosines with the names say."""
    from luban.foundation import zero_shot
    from luban.foundation.backbones import tiny as made

    task, schema = problem(TEXT)
    table, target = rows(30)
    learner = plugins.create("learners", "zero_shot")
    assert not isinstance(learner.suits(task, schema, 30, 60.0), Unsuitable)
    assert isinstance(learner.suits(task, schema, 30_000, 60.0), Unsuitable)
    effort = Effort(cache=str(tmp_path))
    table = table.select(["text"])
    model = learner.fit(task, schema, Examples(table=table, target=target), None, parameters={}, effort=effort)
    backbone = made.text([" ".join((*GOOD, *BAD, *OTHERS))])
    expected, _ = zero_shot.predict(backbone, zero_shot.labels(backbone, ("bad", "good")), table, "text", effort=effort)
    assert np.abs(model.predict(table) - expected).max() <= 1e-5
    assert np.abs(learner.load(model.save()).predict(table) - model.predict(table)).max() <= 1e-6


def test_a_known_question_finds_its_answer(tmp_path: Path) -> None:
    """Matching gives a question that it knows its answer, by Python and by ONNX, also after loading."""
    from luban.export.onnx.build import build
    from luban.export.onnx.parity import measure
    from luban.learners.composite import Composite
    from luban.learners.fitted import fitted as make_fitted

    answers = tuple(f"the {word} was {quality}" for word in ("film", "book", "meal") for quality in ("good", "bad"))
    task = Task(kind="matching", target="answer", inputs=("text",), metric="mrr", classes=answers)
    schema = Schema(columns=(TEXT,))
    questions = pa.table({"text": [f"quite {answer} song {place}" for answer in answers for place in range(2)]})
    target = np.repeat(np.arange(len(answers)), 2)
    learner = plugins.create("learners", "matching")
    assert not isinstance(learner.suits(task, schema, 12, 60.0), Unsuitable)
    effort = Effort(cache=str(tmp_path))
    model = learner.fit(task, schema, Examples(table=questions, target=target), None, parameters={}, effort=effort)
    assert model.predict(questions).argmax(axis=1).tolist() == target.tolist()
    assert np.abs(learner.load(model.save()).predict(questions) - model.predict(questions)).max() <= 1e-6
    whole = make_fitted(Composite(members=(model,), weights=(1.0,), task=task), schema)
    assert measure(whole, build(whole), questions).difference <= 1e-4


@pytest.mark.parametrize("learner", ["linear_probe", "fine_tune"])
@pytest.mark.parametrize("kind", ["text", "image", "audio"])
def test_only_backbones_that_read_the_columns_are_searched(
    learner: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text is never offered a net for pictures, nor a way that its backbones do not take, nor what is not there."""
    from luban.foundation.backbone import Card
    from luban.learners.adapted import choice

    def card(name: str, kind: str, ways: tuple[str, ...], needs: str = "") -> Card:
        told = {"tasks": ("binary",), "parameters": 1, "bytes": 1, "licence": "MIT", "source": "here", "words": ""}
        return Card(name=name, kind=kind, ways=dict.fromkeys(ways, ("binary",)), needs=needs, **told)

    made = [card(f"{one}_{place}", one, ("full", "bitfit")) for one in ("text", "image") for place in (1, 2)]
    made += [card("text_3", "text", ("full", "prompt"), needs="pip install it"), card("audio_1", "audio", ("lora",))]
    monkeypatch.setattr(choice, "cards", lambda: {one.name: one for one in made})
    task, schema = problem(Column(name="value", kind=kind), NUMBER)
    space = plugins.create("learners", learner).space(task, schema)
    if kind == "audio":
        assert "backbone" not in space, "the only one is the default already"
    else:
        assert space["backbone"].values == (None, f"{kind}_1", f"{kind}_2")
    if learner == "fine_tune":
        assert set(space["way"].values) == ({"lora"} if kind == "audio" else {"full", "bitfit"})


@pytest.mark.parametrize("learner", ["linear_probe", "late_fusion"])
def test_what_the_cache_has_is_learnt_from_first(learner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that has no time to read more learns from all that an earlier fit read, and says how many rows."""
    from luban.learners.adapted import frozen

    task, schema = problem(TEXT, NUMBER)
    table, target = rows(160)
    some = np.random.default_rng(5).permutation(160)[:100]
    patient = Effort(seed=1, cache=str(tmp_path))
    made = frozen.make(schema, table, backbone=None, effort=patient)
    made.transform(table.take(some), patient, quick=True)
    hurried = replace(patient, deadline=time.monotonic() + 3600, seed=2)
    ready = frozen.within(made, table, hurried, seconds=0.0, quick=True)
    assert set(table["text"].take(ready.rows).to_pylist()) == set(table["text"].take(some).to_pylist())
    known = np.isin(table["text"].to_pylist(), table["text"].take(some).to_pylist())
    assert set(ready.rows) == set(np.flatnonzero(known)), "equal texts have one vector"
    assert np.array_equal(ready.matrix, made.transform(table.take(ready.rows), patient, quick=True))
    examples = Examples(table=table, target=target)
    with monkeypatch.context() as patched:
        patched.setattr(f"luban.learners.adapted.{learner}._READING", 0.0)
        model = plugins.create("learners", learner).fit(task, schema, examples, None, parameters={}, effort=hurried)
    assert model.rows_read == known.sum() < 160
    whole = plugins.create("learners", learner).fit(task, schema, examples, None, parameters={}, effort=patient)
    assert whole.rows_read is None
