"""What a learner of tables does with a direction that predictions must keep to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from luban.core import plugins
from luban.core.budget import Effort
from luban.core.protocols import Examples, Unsuitable
from luban.core.schema import Column, Schema
from luban.core.task import Task

SCHEMA = Schema(columns=tuple(Column(name=name, kind="number") for name in "abc"))
NUMBER = Task(
    kind="regression", target="y", inputs=("a", "b", "c"), metric="rmse", constraints={"monotonic": {"a": 1, "c": -1}}
)
BINARY = replace(NUMBER, kind="binary", metric="log_loss", classes=("no", "yes"))
BOOSTERS = ("lightgbm", "xgboost", "catboost")


def examples(task: Task, rows: int = 1200, seed: int = 0) -> Examples:
    """A target that goes up and down with each column, so that a free learner breaks every direction."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, 3))
    values[random.random((rows, 3)) < 0.02] = np.nan
    a, b, c = np.nan_to_num(values).T
    y = np.sin(3 * a) + 0.5 * a + b * c + np.cos(3 * c) + 0.2 * random.normal(size=rows)
    target = y if task.kind == "regression" else (y > np.median(y)).astype(np.int64)
    return Examples(table=pa.table(dict(zip("abc", values.T, strict=True))), target=target)


def worst_step(model: Any, task: Task, column: str, direction: int) -> float:
    """Return the largest step against the direction, over 25 rows and 150 values of the column."""
    start = examples(task, seed=5).table.slice(0, 25).to_pandas()
    worst = 0.0
    for _, row in start.iterrows():
        line = {name: np.full(150, row[name]) for name in "abc"} | {column: np.linspace(-3, 3, 150)}
        answer = np.asarray(model.predict(pa.table(line))).reshape(150, -1)[:, -1]
        worst = max(worst, float(-(np.diff(answer) * direction).min()))
    return worst


def fit(name: str, task: Task, **parameters: Any) -> Any:
    learner = plugins.create("learners", name)
    parameters = {"rounds": 60, **parameters}
    return learner.fit(task, SCHEMA, examples(task), examples(task, seed=1), parameters=parameters, effort=Effort())


@pytest.mark.parametrize("task", [NUMBER, replace(NUMBER, metric="mae"), BINARY], ids=["rmse", "mae", "binary"])
@pytest.mark.parametrize("name", BOOSTERS)
def test_predictions_keep_to_the_direction_and_would_not_without_it(name: str, task: Task) -> None:
    model = fit(name, task)
    for column, direction in task.constraints["monotonic"].items():
        assert worst_step(model, task, column, direction) <= 1e-9
    assert worst_step(fit(name, replace(task, constraints={})), task, "a", 1) > 0.05


@pytest.mark.parametrize("name", BOOSTERS)
def test_engineered_features_of_a_held_column_cannot_undo_it(name: str) -> None:
    """Ratios and products of the columns would be the most telling features here."""
    model = fit(name, NUMBER, pairs=6)
    assert len(model.encoding.names) > 3, "nothing was engineered, so nothing is shown"
    for column, direction in NUMBER.constraints["monotonic"].items():
        assert worst_step(model, NUMBER, column, direction) <= 1e-9


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_saved_model_keeps_to_the_direction(name: str) -> None:
    model = plugins.create("learners", name).load(fit(name, BINARY).save())
    assert worst_step(model, BINARY, "a", 1) <= 1e-9


def test_every_learner_says_why_it_cannot_or_holds_to_it() -> None:
    """No learner takes a task with a direction and ignores it: what suits is a booster, or knows no column at all."""
    for name in plugins.names("learners"):
        if plugins.origin("learners", name) != "luban":
            continue
        answer = plugins.create("learners", name).suits(NUMBER, SCHEMA, 1000, 1e6)
        if name in (*BOOSTERS, "constant"):
            assert not isinstance(answer, Unsuitable)
        else:
            assert isinstance(answer, Unsuitable), name
            if ".tabular." in plugins.load("learners", name).__module__:  # others find no column that they read
                assert "monotonic in a, c" in answer.reason


@pytest.mark.parametrize("name", BOOSTERS)
def test_trees_of_several_outputs_refuse_a_direction(name: str) -> None:
    task = replace(NUMBER, kind="quantile", quantiles=(0.1, 0.9), metric="pinball")
    answer = plugins.create("learners", name).suits(task, SCHEMA, 1000, 1e6)
    assert isinstance(answer, Unsuitable)
    assert "2 outputs" in answer.reason
