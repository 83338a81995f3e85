"""Gaussian naive Bayes for tables: what a third party writes to add a learner to Luban."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.modalities.tabular.encoding import Encoding
from luban.modalities.tabular.fit import fit_encoding
from luban.modalities.tabular.options import EncodingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.core.protocols import Examples
    from luban.core.schema import Schema
    from luban.core.space import Space
    from luban.core.task import Task


@dataclass(frozen=True)
class NaiveBayesModel:
    """Class frequencies, and a normal distribution of each feature in each class."""

    encoding: Encoding
    prior: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    learner: str = "naive_bayes"

    @property
    def learned(self) -> Mapping[str, Any]:
        """Nothing that a refit would need."""
        return {}

    def predict(self, table: pa.Table) -> np.ndarray:
        """Return the posterior of each class, shape (n, K)."""
        features = self.encoding.transform(table).astype(np.float64)[:, None, :]
        densities = -0.5 * (np.log(self.variance) + (features - self.mean) ** 2 / self.variance)
        margins = np.log(self.prior) + densities.sum(axis=2)
        likelihoods = np.exp(margins - margins.max(axis=1, keepdims=True))
        return likelihoods / likelihoods.sum(axis=1, keepdims=True)

    def save(self) -> Mapping[str, bytes]:
        """Return the arrays as .npz, and the encoding's own payloads."""
        file = io.BytesIO()
        np.savez(file, prior=self.prior, mean=self.mean, variance=self.variance)
        encoding = {f"encoding/{name}": content for name, content in self.encoding.save().items()}
        return {"bayes.npz": file.getvalue(), "about.json": json.dumps({"version": 1}).encode(), **encoding}


class NaiveBayesLearner:
    """Takes every feature to be normal within a class and independent of the others."""

    name = "naive_bayes"

    def suits(self, task: Task, schema: Schema, rows: int, seconds: float) -> Suitable | Unsuitable:
        """Return whether the task has classes."""
        del schema, rows, seconds
        return Suitable() if task.classifies else Unsuitable("naive Bayes predicts classes, not numbers")

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return one setting, tried early because it is quick."""
        del task
        return [Suggestion(parameters={"smoothing": 1e-3}, order=5)]

    def space(self, task: Task) -> Space:
        """Return the one parameter."""
        del task
        return {"smoothing": Real(1e-6, 1.0, log=True)}

    def fit(
        self,
        task: Task,
        schema: Schema,
        training: Examples,
        validation: Examples | None,
        *,
        parameters: Mapping[str, Any],
        effort: Effort,
        report: Callable[[int, float], bool] | None = None,
    ) -> NaiveBayesModel:
        """Measure mean and variance of each feature in each class."""
        del validation, report
        options = EncodingOptions(numbers="quantile", categories=("one_hot",))
        encoding, features = fit_encoding(training.table, schema, task, training.target, options, effort.seed)
        features = features.astype(np.float64)
        groups = [features[training.target == code] for code in range(len(task.classes))]
        smoothing = float(parameters.get("smoothing", 1e-3))
        return NaiveBayesModel(
            encoding=encoding,
            prior=np.array([len(group) + 1.0 for group in groups]) / (len(features) + len(groups)),
            mean=np.stack([group.mean(axis=0) for group in groups]),
            variance=np.stack([group.var(axis=0) for group in groups]) + smoothing,
        )

    def load(self, payloads: Mapping[str, bytes]) -> NaiveBayesModel:
        """Return the model that was saved."""
        prefix = "encoding/"
        inner = {name.removeprefix(prefix): one for name, one in payloads.items() if name.startswith(prefix)}
        with np.load(io.BytesIO(payloads["bayes.npz"]), allow_pickle=False) as arrays:
            return NaiveBayesModel(Encoding.load(inner), arrays["prior"], arrays["mean"], arrays["variance"])
