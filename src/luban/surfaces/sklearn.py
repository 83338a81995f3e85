"""The scikit-learn face: `fit` behind the interface of an estimator.

The estimators take data frames (their columns keep their kinds: categories, dates, text) and arrays of numbers. They
go into pipelines, cross-validation and searches; what is fitted is kept by a workspace, never by pickle.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from luban.learners.predictions import Predictions
    from luban.store import Workspace

TARGET = "target"


class _Auto(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share."""

    def __init__(
        self,
        *,
        budget: str | float = "60s",
        rounds: int | None = None,
        metric: str | None = None,
        learners: Sequence[str] = (),
        seed: int = 0,
        workspace: Workspace | Path | str | None = None,
    ) -> None:
        self.budget = budget
        self.rounds = rounds
        self.metric = metric
        self.learners = learners
        self.seed = seed
        self.workspace = workspace

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _fit(self, X: Any, values: pa.Array, task: str | None) -> None:
        from luban.operations.fit import fit
        from luban.operations.loading import runtime
        from luban.surfaces.call import call
        from luban.surfaces.opening import opened

        table = self._table(X)
        target = TARGET
        while target in table.column_names:
            target += "_"
        limits = {"budget": self.budget} if self.rounds is None else {"rounds": self.rounds}
        options = {"metric": self.metric, "learners": self.learners, "seed": self.seed, "task": task, **limits}
        with ExitStack() as stack:
            place = self.workspace
            if place is None:
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix="luban-"))
            there = stack.enter_context(opened(place, fit))
            data = table.append_column(target, values)
            try:
                self.fitted_ = call(fit, there, {"data": data, "target": target, "name": "sklearn", **options})
            except InputError as error:
                raise ValueError(str(error)) from error
            self.model_ = runtime(there, self.fitted_.model, paths=True)

    def _checked(self, X: Any, y: Any = None) -> Any:
        """Return X with its names and width noted (with `y`) or compared (without)."""
        frame = hasattr(X, "columns") and not hasattr(X, "sparse_columns")
        reset = y is not None
        if frame:
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        return validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=2 if reset else 1
        )

    @staticmethod
    def _table(X: Any) -> pa.Table:
        if isinstance(X, np.ndarray):
            return pa.table({f"x{place}": pa.array(column) for place, column in enumerate(X.T)})
        from luban.data import read

        return read.table(X)

    def _predictions(self, X: Any) -> Predictions:
        check_is_fitted(self)
        return self.model_.predict(self._table(self._checked(X)))


class AutoClassifier(ClassifierMixin, _Auto):  # type: ignore[misc]
    """A classifier that Luban chooses, tunes and combines within a budget.

    Parameters
    ----------
    budget : str or float
        A hard deadline for the whole fit, such as ``"60s"`` or seconds.
    rounds : int, optional
        So many candidates instead of a time; the same seed then gives the same model.
    metric : str, optional
        What to optimise, by scikit-learn's name.
    learners : sequence of str
        Only these learners.
    seed : int
    workspace : Workspace, path or str, optional
        Where data, run and model are kept; by default nowhere once the fit is done.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had names.
    fitted_ : Fit
        The leaderboard, the score and the report.
    model_ : Runtime
        The model, as `luban.load` gives it; its classes are named by their place in `classes_`.
    """

    def fit(self, X: Any, y: Any) -> AutoClassifier:
        """Fit to X of shape (n, d) and labels of shape (n,).

        Raises
        ------
        ValueError
            If nothing can be learnt from them.
        """
        if y is None:
            raise ValueError("AutoClassifier requires y to be passed, but the target y is None.")
        X = self._checked(X, y)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._fit(X, pa.array([f"c{code:06d}" for code in codes]), None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the label of each row, shape (n,)."""
        found = self._predictions(X).prediction.to_pylist()
        labels: np.ndarray = self.classes_[[int(label[1:]) for label in found]]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, shape (n, K), in the order of `classes_`."""
        found = self._predictions(X)
        ordered = np.argsort([int(str(label)[1:]) for label in found.task.classes])
        assert found.probabilities is not None
        probabilities: np.ndarray = found.probabilities[:, ordered]
        return probabilities


class AutoRegressor(RegressorMixin, _Auto):  # type: ignore[misc]
    """A regressor that Luban chooses, tunes and combines within a budget.

    Parameters and attributes are those of `AutoClassifier`, without ``classes_``.
    """

    def fit(self, X: Any, y: Any) -> AutoRegressor:
        """Fit to X of shape (n, d) and numbers of shape (n,).

        Raises
        ------
        ValueError
            If nothing can be learnt from them.
        """
        if y is None:
            raise ValueError("AutoRegressor requires y to be passed, but the target y is None.")
        X = self._checked(X, y)
        numbers = check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64)
        self._fit(X, pa.array(numbers), "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the prediction of each row, shape (n,)."""
        found: np.ndarray = self._predictions(X).prediction.to_numpy(zero_copy_only=False)
        return found
