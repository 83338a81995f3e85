"""Every built-in learner, through the plug-in table, holds to what `luban.testing.learner` asks of a plug-in."""

from functools import partial
from typing import ClassVar

import pytest

from luban.core import plugins
from luban.core.protocols import Suitable
from luban.core.schema import Column, Schema
from luban.core.task import Task
from luban.testing.learner import LearnerConformance


def built_in(name: str) -> staticmethod:
    return staticmethod(partial(plugins.create, "learners", name))


class TestConstant(LearnerConformance):
    learner = built_in("constant")


class TestLinear(LearnerConformance):
    learner = built_in("linear")


class TestLightGBM(LearnerConformance):
    learner = built_in("lightgbm")
    parameters: ClassVar = {"rounds": 60}


class TestPreparedLightGBM(LearnerConformance):
    learner = built_in("lightgbm")
    parameters: ClassVar = {"rounds": 30, "extra_trees": True, "pairs": 4, "crosses": 2, "group_ratios": 2}


class TestCatBoost(LearnerConformance):
    learner = built_in("catboost")
    parameters: ClassVar = {"rounds": 40, "depth": 4}


class TestXGBoost(LearnerConformance):
    learner = built_in("xgboost")
    parameters: ClassVar = {"rounds": 40}


class TestExtraTrees(LearnerConformance):
    learner = built_in("extra_trees")
    parameters: ClassVar = {"trees": 30}


class TestRandomForest(LearnerConformance):
    learner = built_in("random_forest")
    parameters: ClassVar = {"trees": 30}


class TestNearestNeighbours(LearnerConformance):
    learner = built_in("nearest_neighbours")


@pytest.mark.long
class TestNeuralNetwork(LearnerConformance):
    learner = built_in("neural_network")
    parameters: ClassVar = {"epochs": 100, "width": 32}


def test_no_learner_is_left_out() -> None:
    """A learner of tables that is added to the plug-in table is added here."""
    task = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=("no", "yes"))
    table = Schema(columns=(Column(name="x", kind="number"),))
    here = {
        kind.learner().name
        for kind in globals().values()
        if isinstance(kind, type) and issubclass(kind, LearnerConformance) and kind is not LearnerConformance
    }
    mine = {
        name
        for name in plugins.names("learners")
        if plugins.origin("learners", name) == "luban"
        and isinstance(plugins.create("learners", name).suits(task, table, 1_000, 60.0), Suitable)
    }
    if here != mine:
        pytest.fail(f"not checked: {sorted(mine - here)}")
