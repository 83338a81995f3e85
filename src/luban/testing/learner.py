"""What every learner must hold to.

A plug-in runs it over its own::

    from luban.testing.learner import LearnerConformance

    class TestMine(LearnerConformance):
        learner = MyLearner

Each check runs for every kind of task that the learner says it suits.
"""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import pyarrow as pa
import pytest

from luban.core.budget import Effort
from luban.core.errors import InputError, LubanError, Unsupported
from luban.core.protocols import (
    Examples,
    Explainable,
    Exportable,
    Learner,
    Recounting,
    Specialised,
    Suitable,
    TaskBound,
    Unsuitable,
    Updatable,
    WarmingUp,
)
from luban.core.schema import Column, Schema
from luban.core.space import Choice, Integer, Real
from luban.core.task import Task, TaskKind
from luban.learners import link
from luban.testing.recounting import check_recounts
from luban.testing.updatable import check_goes_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.protocols import Model

KINDS = ("binary", "multiclass", "regression", "quantile")
SCHEMA = Schema(
    columns=(
        Column(name="length", kind="number", storage="double"),
        Column(name="width", kind="number", storage="double"),
        Column(name="colour", kind="category"),
        Column(name="town", kind="category"),
        Column(name="open", kind="boolean"),
        Column(name="day", kind="date", storage="timestamp[us]"),
    )
)


def task_of(kind: Any) -> Task:
    """Return a task of this kind over `SCHEMA`."""
    metrics = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse", "quantile": "pinball"}
    classes = {"binary": ("no", "yes"), "multiclass": ("low", "middle", "high")}
    return Task(
        kind=kind,
        target="goal",
        inputs=SCHEMA.names,
        metric=metrics[kind],
        classes=classes.get(kind, ()),
        quantiles=(0.1, 0.5, 0.9) if kind == "quantile" else (),
    )


def examples_of(task: Task, rows: int, seed: int) -> Examples:
    """Return rows whose target follows from two columns and chance; a tenth of every column is missing."""
    random = np.random.default_rng(seed)
    length, width = random.normal(size=(2, rows))
    colour = random.choice(["red", "green", "blue"], rows)
    signal = 2.0 * length + 1.5 * (colour == "red") - np.abs(width) + 0.5 * random.normal(size=rows)
    columns = [
        pa.array(length),
        pa.array(width),
        pa.array(colour),
        pa.array([f"town {number}" for number in random.integers(0, 40, rows)]),
        pa.array(random.choice(["true", "false"], rows)),
        pa.array(random.integers(0, 10**9, rows) * 1_000_000, pa.timestamp("us")),
    ]
    kept = [pa.array(random.random(rows) > 0.1) for _ in columns]
    holed = [pa.compute.if_else(keep, column, None) for keep, column in zip(kept, columns, strict=True)]
    if task.kind == "binary":
        target = (signal > 0).astype(np.int64)
    elif task.kind == "multiclass":
        target = np.digitize(signal, [-1.0, 1.0]).astype(np.int64)
    else:
        target = signal * 100.0
    return Examples(table=pa.table(holed, names=list(SCHEMA.names)), target=target)


def loss_of(task: Task, target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the log loss, the root mean squared error or the pinball loss."""
    if task.classifies:
        return float(-np.log(np.clip(prediction[np.arange(len(target)), target], 1e-7, 1.0)).mean())
    if task.kind == "quantile":
        error, levels = target[:, None] - prediction, np.array(task.quantiles)
        return float(np.maximum(levels * error, (levels - 1.0) * error).mean())
    return float(np.sqrt(np.mean((target - prediction) ** 2)))


def turned(task: Task, examples: Examples) -> Examples:
    """Return rows whose target means the opposite: what was learnt from the others is wrong for them."""
    target = len(task.classes) - 1 - examples.target if task.classifies else -examples.target
    return Examples(table=examples.table, target=target)


class LearnerConformance:
    """The checks; subclass it in a test module and name the learner."""

    learner: ClassVar[Callable[[], Learner]]
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Parameters that make a fit quick; they must not change what is promised."""
    parity: ClassVar[float] = 1e-6
    """Largest difference of a probability between model and graph (of the spread, for numbers)."""

    _fitted: ClassVar[dict[str, Model]]

    def __init_subclass__(cls) -> None:
        cls._fitted = {}

    @pytest.fixture(params=KINDS)
    def task(self, request: pytest.FixtureRequest) -> Task:
        """Return a task that the learner takes on; others are skipped, with its own reason."""
        task, learner = task_of(request.param), self.made()
        if isinstance(learner, Specialised) and task.kind not in learner.kinds:
            pytest.skip(f"it is made for {', '.join(learner.kinds)}")
        answer = learner.suits(task, SCHEMA, 240, 60.0)
        if isinstance(answer, Unsuitable):
            pytest.skip(answer.reason)
        return task

    @pytest.fixture
    def model(self, task: Task) -> Model:
        """Return a model for the task, fitted once."""
        if task.kind not in self._fitted:
            self._fitted[task.kind] = self.fitted(task)
        return self._fitted[task.kind]

    def made(self) -> Learner:
        """Return the learner."""
        return type(self).learner()

    def fitted(self, task: Task, **changes: Any) -> Model:
        """Return a model fitted to 240 rows, validated on 80."""
        arguments: dict[str, Any] = {"parameters": self.parameters, "effort": Effort(threads=2, seed=3)}
        validation = examples_of(task, 80, 2)
        return self.made().fit(task, SCHEMA, examples_of(task, 240, 1), validation, **(arguments | changes))

    def test_it_is_a_learner(self) -> None:
        """It has the methods of the protocol, and gives every kind of task an answer in words."""
        learner = self.made()
        assert isinstance(learner, Learner)
        if isinstance(learner, Specialised):
            assert set(learner.kinds) <= set(get_args(TaskKind)), "it is made for a kind of task that there is none of"
        for kind in KINDS:
            answer = learner.suits(task_of(kind), SCHEMA, 240, 60.0)
            assert isinstance(answer, Suitable) or len(answer.reason) > 10

    def test_its_suggestions_and_space_are_usable(self, task: Task) -> None:
        """There is something to try at once; spaces hold distributions."""
        assert len(self.made().suggestions(task)) >= 1
        for distribution in self.made().space(task, SCHEMA).values():
            assert isinstance(distribution, Real | Integer | Choice)

    def test_it_tells_how_its_fit_went(self, model: Model) -> None:
        """Where it can: curves by the names of metrics, of few enough points, in numbers."""
        if not isinstance(model, Recounting):
            pytest.skip("it does not tell how its fit went")
        check_recounts(model)

    def test_predictions_have_the_promised_form(self, task: Task, model: Model) -> None:
        """Float64, finite, probabilities that sum to 1, quantiles in order."""
        prediction = model.predict(examples_of(task, 50, 5).table)
        assert not isinstance(model, TaskBound) or model.task == task, "it says that it was made for another task"
        assert prediction.dtype == np.float64
        assert prediction.shape == ((50,) if task.kind == "regression" else (50, task.outputs))
        assert np.isfinite(prediction).all()
        if task.classifies:
            assert (prediction >= 0).all()
            np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-6)
        if task.kind == "quantile":
            assert (np.diff(prediction, axis=1) >= 0).all()

    def test_it_is_no_worse_than_a_constant(self, task: Task, model: Model) -> None:
        """On new rows it predicts at least as well as the best constant for them, but for chance."""
        fresh = examples_of(task, 400, 6)
        if task.classifies:
            constant = np.tile(np.bincount(fresh.target) / len(fresh.target), (400, 1))
        elif task.kind == "quantile":
            constant = np.tile(np.quantile(fresh.target, task.quantiles), (400, 1))
        else:
            constant = np.full(400, fresh.target.mean())
        loss = loss_of(task, fresh.target, model.predict(fresh.table))
        assert loss <= 1.1 * loss_of(task, fresh.target, constant)

    def test_a_row_alone_is_predicted_as_among_others(self, task: Task, model: Model) -> None:
        """A prediction depends on its own row only."""
        table = examples_of(task, 20, 7).table
        together = model.predict(table)
        alone = np.concatenate([model.predict(table.slice(row, 1)) for row in range(20)])
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5 * max(1.0, float(np.abs(together).max())))

    def test_no_rows_give_no_predictions(self, task: Task, model: Model) -> None:
        """A table without rows has predictions of the usual width, and the usual base; it is no error."""
        table = examples_of(task, 5, 7).table
        empty = table.slice(0, 0)
        assert model.predict(empty).shape == (0, *model.predict(table).shape[1:])
        if isinstance(model, Explainable):
            values, base = model.contributions(empty)
            assert values.shape == (0, len(SCHEMA.columns), link.width(task))
            np.testing.assert_allclose(base, model.contributions(table)[1])

    def test_unseen_and_missing_values_are_predicted(self, task: Task, model: Model) -> None:
        """A category that training lacked, and a row with nothing in it, have finite predictions."""
        table = examples_of(task, 2, 8).table
        strange = table.set_column(3, "town", pa.array(["Atlantis", ""]))
        nothing = pa.table([pa.nulls(2, field.type) for field in table.schema], names=table.column_names)
        for rows in (strange, nothing):
            assert np.isfinite(model.predict(rows)).all()

    def test_the_same_seed_gives_the_same_bytes(self, task: Task, model: Model) -> None:
        """Two fits with one seed save and predict alike, to the byte."""
        again = self.fitted(task)
        assert dict(again.save()) == dict(model.save())
        table = examples_of(task, 50, 9).table
        assert again.predict(table).tobytes() == model.predict(table).tobytes()

    def test_what_is_saved_loads_without_pickle(
        self, task: Task, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Payloads have plain types; the loaded model predicts the same bytes, saves the same, learnt the same."""
        from luban.learners.artifact import MEDIA_TYPES

        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError("a pickle was read")

        payloads = dict(model.save())
        assert all(name.endswith(tuple(MEDIA_TYPES)) for name in payloads)
        for name in ("load", "loads", "Unpickler"):
            monkeypatch.setattr(pickle, name, refuse)
        loaded = self.made().load(payloads)
        table = examples_of(task, 50, 9).table
        assert loaded.predict(table).tobytes() == model.predict(table).tobytes()
        assert dict(loaded.save()) == payloads
        assert dict(loaded.learned) == dict(model.learned)
        assert loaded.learner == model.learner == self.made().name

    def test_a_damaged_payload_is_refused(self, model: Model) -> None:
        """A payload that is missing, empty or cut in half gives an error for users, never a model."""
        payloads = dict(model.save())
        for name, content in payloads.items():
            for damage in (None, b"", content[: len(content) // 2]):
                changed = payloads | {name: damage} if damage is not None else payloads.keys() - {name}
                given = changed if isinstance(changed, dict) else {key: payloads[key] for key in changed}
                with pytest.raises(LubanError):
                    self.made().load(given)

    def test_what_was_learnt_refits_without_validation(self, task: Task, model: Model) -> None:
        """`learned` holds parameters of the learner, and a fit without validation reproduces them."""
        parameters = {**self.parameters, **model.learned}
        refit = self.made().fit(
            task, SCHEMA, examples_of(task, 240, 1), None, parameters=parameters, effort=Effort(threads=2, seed=3)
        )
        assert dict(refit.learned) == dict(model.learned)

    def test_a_deadline_that_has_passed_still_gives_a_model(self, task: Task) -> None:
        """There is always a model, however poor."""
        model = self.fitted(task, effort=Effort(deadline=time.monotonic() - 1.0, threads=2))
        assert np.isfinite(model.predict(examples_of(task, 5, 1).table)).all()

    def test_the_deadline_ends_a_long_fit(self) -> None:
        """With a second for more work than a minute could hold, it takes a few seconds of the processor."""
        task = task_of("binary")
        if isinstance(self.made().suits(task, SCHEMA, 20_000, 1.0), Unsuitable):
            pytest.skip("it says itself that a second is too short")
        start = time.process_time()
        self.made().fit(
            task,
            SCHEMA,
            examples_of(task, 20_000, 1),
            examples_of(task, 2000, 2),
            parameters={},
            effort=Effort(deadline=time.monotonic() + 1.0, threads=2),
        )
        assert time.process_time() - start < 15.0

    def test_whoever_prunes_is_told_losses(self, task: Task) -> None:
        """Reported losses are finite, and False ends the training after that report."""
        told: list[float] = []

        def report(_: int, loss: float) -> bool:
            told.append(loss)
            return False

        model = self.fitted(task, report=report)
        assert len(told) <= 1
        assert np.isfinite(told).all()
        assert np.isfinite(model.predict(examples_of(task, 5, 1).table)).all()

    def test_weights_and_lacking_classes_are_taken(self, task: Task) -> None:
        """Rows may weigh differently, and a class that no row has keeps its place in the predictions."""
        training = examples_of(task, 240, 1)
        target = np.where(training.target == 2, 1, training.target) if task.kind == "multiclass" else training.target
        weight = np.random.default_rng(0).uniform(0.5, 2.0, 240)
        weighted = Examples(table=training.table, target=target, weight=weight)
        model = self.made().fit(task, SCHEMA, weighted, None, parameters=self.parameters, effort=Effort(threads=2))
        prediction = model.predict(training.table)
        assert prediction.shape[1:] == (() if task.kind == "regression" else (task.outputs,))
        assert np.isfinite(prediction).all()

    def test_an_unknown_parameter_is_refused(self, task: Task) -> None:
        """A misspelt name is an error, not silence."""
        with pytest.raises(InputError):
            self.fitted(task, parameters={"learning_rte": 0.1})

    def test_its_graph_predicts_the_same(self, task: Task, model: Model) -> None:
        """Where it can be written as ONNX: the same predictions, on missing and unseen values too."""
        from luban.export.onnx.graph import OnnxGraph
        from luban.learners.graph.feeding import Feeding
        from luban.learners.graph.session import open_session

        if not isinstance(model, Exportable):
            pytest.skip("it cannot be written as ONNX")
        graph = OnnxGraph(SCHEMA.columns)
        try:
            graph.output("output", model.to_graph(graph), ["rows", task.outputs])
        except Unsupported as error:
            pytest.skip(str(error))
        session = open_session(graph.to_bytes(name="model", metadata={}, producer_version="0"))
        table = examples_of(task, 300, 10).table
        table = table.set_column(3, "town", pa.array(["Atlantis"] * 100 + table["town"].to_pylist()[100:]))
        expected = model.predict(table)
        found = Feeding(session, SCHEMA.columns).run(session, ["output"], table)[0].reshape(expected.shape)
        scale = 1.0 if task.classifies else max(float(np.abs(expected).max()), 1.0)
        assert np.abs(found - expected).max() <= self.parity * scale

    def test_it_goes_on_learning(self, task: Task, model: Model) -> None:
        """Where it can: rows whose target means the opposite turn its predictions, to the same bytes when loaded.

        It stays itself as it was.
        """
        if not isinstance(model, Updatable):
            pytest.skip("it cannot go on learning")
        if task.kind not in ("binary", "regression"):
            pytest.skip("the others are continued alike")
        new, unseen = turned(task, examples_of(task, 160, 12)), turned(task, examples_of(task, 400, 13))
        check_goes_on(self.made(), model, task, new, unseen, loss_of, replay=examples_of(task, 20, 1))

    def test_contributions_add_up(self, task: Task, model: Model) -> None:
        """Where it can explain itself: rows and base sum to the margin."""
        if not isinstance(model, Explainable):
            pytest.skip("it cannot explain itself")
        assert not isinstance(model, WarmingUp) or model.warm_up >= 0
        table = examples_of(task, 40, 11).table
        values, base = model.contributions(table)
        width = link.width(task)
        assert values.shape == (40, len(SCHEMA.columns), width)
        assert base.shape == (width,)
        margin = values.sum(axis=1) + base
        prediction = model.predict(table)
        found = link.predictions(task, margin)
        scale = 1.0 if task.classifies else float(np.abs(prediction).max())
        assert np.abs(found - prediction).max() <= 1e-5 * scale
