"""Models of tables that go on learning from new rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
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
from luban.learners.tabular.nearest_neighbours import NearestNeighboursLearner
from luban.learners.tabular.neural_network import NeuralNetworkLearner
from luban.learners.tabular.xgboost import XGBoostLearner
from luban.testing.learner import SCHEMA, examples_of, loss_of, task_of, turned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from luban.core.protocols import Learner, Model
    from luban.core.task import Task

ROWS = 400
BOOSTED: tuple[Any, ...] = tuple((one, {"rounds": 30}) for one in (LightGBMLearner, XGBoostLearner, CatBoostLearner))
NETWORK = pytest.param(NeuralNetworkLearner, {"epochs": 40, "width": 32}, marks=pytest.mark.long)
ALL = [*BOOSTED, (LinearLearner, {}), NETWORK]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Learning leaves no files in the folder that the user is in."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


def _fitted(learner: Learner, task: Task, parameters: dict[str, Any]) -> Model:
    return learner.fit(
        task, SCHEMA, examples_of(task, ROWS, seed=1), None, parameters=parameters, effort=Effort(seed=1)
    )


def _turned(task: Task, seed: int) -> Examples:
    return turned(task, examples_of(task, ROWS, seed))


@pytest.mark.parametrize("kind", ["binary", pytest.param("regression", marks=pytest.mark.long)])
@pytest.mark.parametrize(("learner", "parameters"), ALL)
def test_new_rows_of_the_same_world_do_no_harm(learner: Any, parameters: dict[str, Any], kind: str) -> None:
    """Where nothing has turned, going on with new rows is not worse on rows that neither saw, but for chance."""
    task = task_of(kind)
    before = _fitted(learner(), task, parameters)
    assert isinstance(before, Updatable)
    after = before.update(examples_of(task, ROWS, 2), replay=examples_of(task, 200, 1), effort=Effort(seed=1))
    unseen = examples_of(task, 2000, seed=3)
    losses = [loss_of(task, unseen.target, model.predict(unseen.table)) for model in (before, after)]
    assert losses[1] < 1.02 * losses[0]


@pytest.mark.parametrize(("learner", "parameters"), BOOSTED)
def test_boosted_trees_count_the_rounds_that_they_added(learner: Any, parameters: dict[str, Any]) -> None:
    """After a turn of the target there are more of them."""
    task = task_of("binary")
    before = _fitted(learner(), task, parameters)
    after = before.update(_turned(task, seed=2), effort=Effort(seed=1))
    assert after.learned["rounds"] > before.learned["rounds"]


@pytest.mark.parametrize(("learner", "parameters"), ALL)
def test_a_continued_model_leaves_as_the_same_graph(learner: Any, parameters: dict[str, Any]) -> None:
    """What it learnt further is in the ONNX graph too."""
    task = task_of("binary")
    after = _fitted(learner(), task, parameters).update(_turned(task, seed=2), effort=Effort(seed=1))
    whole = fitted(Composite(members=(after,), weights=(1.0,), task=task), SCHEMA)
    assert parity(whole, build(whole), examples_of(task, 200, seed=4).table) < 1e-6


@pytest.mark.parametrize(("learner", "parameters"), ALL)
def test_rows_that_teach_nothing_change_nothing(learner: Any, parameters: dict[str, Any]) -> None:
    """Few rows or no time: the model stays as it is."""
    task = task_of("binary")
    before = _fitted(learner(), task, parameters)
    rows = examples_of(task, ROWS, seed=2)
    assert before.update(examples_of(task, 10, seed=2), effort=Effort(seed=1)) is before
    assert before.update(rows, effort=Effort(deadline=time.monotonic() - 1, seed=1)) is before
    assert np.isfinite(before.update(rows, effort=Effort(seed=1)).predict(rows.table)).all()


@pytest.mark.long
def test_a_network_keeps_what_it_is_shown_again() -> None:
    """New rows of one half of the world, which turned there: with old rows beside them it forgets less of the other."""
    task = task_of("binary")
    before = _fitted(NeuralNetworkLearner(), task, {"epochs": 60, "width": 32})
    new, unseen = _turned(task, seed=2), examples_of(task, 2000, seed=3)
    shown = pc.fill_null(pc.greater(new.table["width"], 0.5), False)
    new = Examples(table=new.table.filter(shown), target=new.target[shown.to_numpy()])
    other = pc.fill_null(pc.less(unseen.table["width"], -0.5), False)
    target = unseen.target[other.to_numpy()]
    losses = []
    for replay in (None, examples_of(task, ROWS, seed=1)):
        after = before.update(new, replay=replay, effort=Effort(seed=1))
        losses.append(loss_of(task, target, after.predict(unseen.table.filter(other))))
    assert losses[1] < losses[0]


def test_an_ensemble_goes_on_where_most_of_it_can() -> None:
    """Members that cannot stay as they are; weights and calibration stay."""
    task = task_of("binary")
    trees, near = _fitted(LightGBMLearner(), task, {"rounds": 30}), _fitted(NearestNeighboursLearner(), task, {})
    both = Composite(members=(trees, near), weights=(0.7, 0.3), task=task, temperature=1.5, threshold=0.4)
    assert both.continues
    assert not Composite(members=(trees, near), weights=(0.3, 0.7), task=task).continues
    after = both.update(_turned(task, seed=2), effort=Effort(seed=1))
    assert after.members[1] is near
    assert after.members[0] is not trees
    assert (after.weights, after.temperature, after.threshold) == ((0.7, 0.3), 1.5, 0.4)
