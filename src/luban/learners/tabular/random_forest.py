"""Random forests (Breiman 2001)."""

from __future__ import annotations

from typing import Any

from luban.learners.tabular.forest import ForestLearner


class RandomForestLearner(ForestLearner):
    """Trees over bootstrap samples of the rows, each split the best of a random part of the features."""

    name = "random_forest"
    order = 90.0

    def estimator(self, *, classifies: bool, **settings: Any) -> Any:
        """Return scikit-learn's estimator."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        return (RandomForestClassifier if classifies else RandomForestRegressor)(**settings)
