"""Boosted trees that go on learning from new rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from luban.core.budget import Effort
from luban.core.protocols import Examples, Updatable
from luban.export.onnx.build import build
from luban.export.onnx.parity import parity
from luban.learners.composite import Composite
from luban.learners.fitted import fitted
from luban.learners.tabular.catboost import CatBoostLearner
from luban.learners.tabular.lightgbm import LightGBMLearner
from luban.learners.tabular.linear import LinearLearner
from luban.learners.tabular.xgboost import XGBoostLearner
from luban.testing.learner import SCHEMA, examples_of, loss_of, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.core.protocols import Learner, Model
    from luban.core.task import Task

ROWS = 400
LEARNERS = (LightGBMLearner, XGBoostLearner, CatBoostLearner)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Learning leaves no files in the folder that the user is in."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


def _fitted(learner: Learner, task: Task) -> Model:
    return learner.fit(
        task, SCHEMA, examples_of(task, ROWS, seed=1), None, parameters={"rounds": 30}, effort=Effort(seed=1)
    )


def _turned(task: Task, seed: int) -> Examples:
    """Rows whose target means the opposite: what was learnt is wrong for them."""
    rows = examples_of(task, ROWS, seed)
    target = len(task.classes) - 1 - rows.target if task.classifies else -rows.target
    return Examples(table=rows.table, target=target)


@pytest.mark.parametrize(
    "kind",
    ["binary", pytest.param("multiclass", marks=pytest.mark.long), pytest.param("regression", marks=pytest.mark.long)],
)
@pytest.mark.parametrize("learner", LEARNERS)
def test_what_goes_on_learning_mends_its_errors_on_new_rows(learner: Any, kind: str) -> None:
    """After a turn of the target the continued model is far better on rows that neither saw; it is saved and loaded
    to the same bits, and its own trees are the first of it."""
    task = task_of(kind)
    before = _fitted(learner(), task)
    assert isinstance(before, Updatable)
    after = before.update(_turned(task, seed=2), effort=Effort(seed=1))
    unseen = _turned(task, seed=3)
    losses = [loss_of(task, unseen.target, model.predict(unseen.table)) for model in (before, after)]
    assert losses[1] < 0.8 * losses[0]
    assert after.learned["rounds"] > before.learned["rounds"]
    again = learner().load(after.save())
    np.testing.assert_array_equal(again.predict(unseen.table), after.predict(unseen.table))
    assert isinstance(again, Updatable)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_continued_model_leaves_as_the_same_graph(learner: Any) -> None:
    """The added trees are in the ONNX graph too."""
    task = task_of("binary")
    after = _fitted(learner(), task).update(_turned(task, seed=2), effort=Effort(seed=1))
    whole = fitted(Composite(members=(after,), weights=(1.0,), task=task), SCHEMA)
    assert parity(whole, build(whole), examples_of(task, 200, seed=4).table) < 1e-6


@pytest.mark.parametrize("learner", LEARNERS)
def test_rows_that_teach_nothing_change_nothing(learner: Any) -> None:
    """Few rows, no time, or a target of chance alone that no tree predicts better: the model stays as it is."""
    task = task_of("binary")
    before = _fitted(learner(), task)
    rows = examples_of(task, ROWS, seed=2)
    assert before.update(examples_of(task, 10, seed=2), effort=Effort(seed=1)) is before
    assert before.update(rows, effort=Effort(deadline=time.monotonic() - 1, seed=1)) is before
    assert np.isfinite(before.update(rows, effort=Effort(seed=1)).predict(rows.table)).all()


def test_an_ensemble_goes_on_where_most_of_it_can() -> None:
    """Members that cannot stay as they are; weights and calibration stay."""
    task = task_of("binary")
    trees, line = _fitted(LightGBMLearner(), task), LinearLearner()
    linear = line.fit(task, SCHEMA, examples_of(task, ROWS, 1), None, parameters={}, effort=Effort(seed=1))
    both = Composite(members=(trees, linear), weights=(0.7, 0.3), task=task, temperature=1.5, threshold=0.4)
    assert both.continues
    assert not Composite(members=(trees, linear), weights=(0.3, 0.7), task=task).continues
    after = both.update(_turned(task, seed=2), effort=Effort(seed=1))
    assert after.members[1] is linear
    assert after.members[0] is not trees
    assert (after.weights, after.temperature, after.threshold) == ((0.7, 0.3), 1.5, 0.4)
