"""Gaussian naive Bayes for tables: what a third party writes to add a learner to Luban."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import InputError, Tampered
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
        return {"bayes.npz": file.getvalue(), **encoding}


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
        return [Suggestion(parameters={"smoothing": 1.0}, order=5)]

    def space(self, task: Task, schema: Schema) -> Space:
        """Return the one parameter."""
        del task, schema
        return {"smoothing": Real(1e-3, 10.0, log=True)}

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
        unknown = set(parameters) - {"smoothing"}
        if unknown:
            raise InputError(f"naive_bayes has no parameter {min(unknown)!r}", remedy="It has: smoothing.")
        smoothing = float(parameters.get("smoothing", 1.0))
        options = EncodingOptions(numbers="quantile", categories=("target",), high_cardinality=("target",))
        encoding, features = fit_encoding(training.table, schema, task, training.target, options, effort.seed)
        weight = np.ones(len(features)) if training.weight is None else training.weight
        member = (training.target[:, None] == np.arange(len(task.classes))) * weight[:, None]
        # A class without rows gets the mean and variance of all rows, and next to no prior.
        share = (member + 1e-9 * weight[:, None]) / (member + 1e-9 * weight[:, None]).sum(axis=0)
        mean = share.T @ features.astype(np.float64)
        variance = np.stack([w @ (features - m) ** 2 for w, m in zip(share.T, mean, strict=True)]) + smoothing
        prior = (member.sum(axis=0) + 1) / (weight.sum() + len(task.classes))
        return NaiveBayesModel(encoding, prior, mean, variance)

    def load(self, payloads: Mapping[str, bytes]) -> NaiveBayesModel:
        """Return the model that was saved; what cannot have been saved is refused."""
        prefix = "encoding/"
        inner = {name.removeprefix(prefix): one for name, one in payloads.items() if name.startswith(prefix)}
        encoding = Encoding.load(inner)
        try:
            with np.load(io.BytesIO(payloads["bayes.npz"]), allow_pickle=False) as arrays:
                prior, mean, variance = arrays["prior"], arrays["mean"], arrays["variance"]
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise Tampered("the payload bayes.npz cannot be read", seen=str(error)[:100]) from error
        if mean.shape != (len(prior), len(encoding.names)) or variance.shape != mean.shape:
            raise Tampered("the payload bayes.npz does not fit the encoding", seen=str(mean.shape))
        return NaiveBayesModel(encoding, prior, mean, variance)
