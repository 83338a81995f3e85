"""Extremely randomised trees (Geurts, Ernst and Wehenkel 2006)."""

from __future__ import annotations

from typing import Any

from luban.learners.tabular.forest import ForestLearner


class ExtraTreesLearner(ForestLearner):
    """Trees over all rows whose thresholds are drawn at random."""

    name = "extra_trees"
    order = 85.0

    def estimator(self, *, classifies: bool, **settings: Any) -> Any:
        """Return scikit-learn's estimator."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        return (ExtraTreesClassifier if classifies else ExtraTreesRegressor)(**settings)
