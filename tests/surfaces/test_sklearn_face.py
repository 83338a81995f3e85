"""The scikit-learn face: what scikit-learn asks of an estimator, and what Luban adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import cross_val_score

import luban
from luban.execution.inline import InlineExecutor
from luban.execution.local import LocalExecutor
from luban.sklearn import AutoClassifier, AutoRegressor

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"rounds": 1, "learners": ("linear",)}


def test_classifier_learns_labels_of_a_frame_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUBAN_WORKSPACE", raising=False)
    bunch = load_iris(as_frame=True)
    frame = bunch.data.assign(garden=np.where(bunch.target == 0, "south", "north"))
    names = np.array(["setosa", "virginica", "versicolor"])[bunch.target]
    model = clone(AutoClassifier(**QUICK)).fit(frame, names)
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    assert list(model.feature_names_in_) == list(frame.columns)
    probabilities = model.predict_proba(frame)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (model.classes_[probabilities.argmax(axis=1)] == names).mean() > 0.9
    assert model.score(frame, names) > 0.9
    assert list(tmp_path.iterdir()) == []


def test_regressor_goes_into_cross_validation_and_keeps_its_model_where_told(tmp_path: Path) -> None:
    data, target = load_diabetes(return_X_y=True)
    scores = cross_val_score(AutoRegressor(**QUICK), data, target, cv=2, scoring="r2")
    assert scores.mean() > 0.3
    AutoRegressor(**QUICK, workspace=tmp_path / "kept").fit(data, target)
    assert luban.models.list(workspace=tmp_path / "kept").models[0].task == "regression"


def test_what_cannot_be_learnt_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="too few rows"):
        AutoClassifier(**QUICK).fit(pd.DataFrame({"a": [1, 2, 3]}), ["x", "y", "x"])


@pytest.mark.long
@pytest.mark.parametrize("kind", [AutoClassifier, AutoRegressor])
def test_passes_the_checks_that_scikit_learn_ships(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many fits, which need no process of their own each."""
    from sklearn.utils.estimator_checks import check_estimator

    monkeypatch.setattr(LocalExecutor, "of_this_machine", classmethod(lambda cls: InlineExecutor()))
    reason = "a fitted model is kept by a workspace and read back byte for byte; it has no pickled form"
    check_estimator(kind(**QUICK), expected_failed_checks={"check_estimators_pickle": reason}, on_skip=None)
