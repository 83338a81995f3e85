"""What a built-in metric is: a function over many weightings of the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.task import Task

CLASSES = ("binary", "multiclass")


@runtime_checkable
class Resampled(Protocol):
    """Ability of a metric: many weightings of the rows at once, as a bootstrap needs them."""

    def resampled(self, task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the score under each weighting: `weights` has shape (B, n), the result (B,)."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric made from a function of (task, target, prediction, weights).

    Parameters
    ----------
    name : str
    greater_is_better : bool
    kinds : tuple of str
        The kinds of task that it fits.
    function : callable
        Takes weights of shape (B, n) and returns an array of shape (B,); NaN where a weighting leaves
        the score undefined.
    """

    name: str
    greater_is_better: bool
    kinds: tuple[str, ...]
    function: Callable[[Task, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def __call__(
        self, task: Task, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """Return the score in its natural sense, NaN where these rows leave it undefined.

        Raises
        ------
        InputError
            If the shapes disagree or a prediction is not finite.
        """
        checked(task, target, prediction)
        weights = np.ones((1, len(target))) if weight is None else np.asarray(weight, dtype=np.float64)[None, :]
        return float(self.function(task, target, prediction, weights)[0])

    def resampled(self, task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the score under each of B weightings of the rows, shape (B,)."""
        return self.function(task, target, prediction, weights)


def checked(task: Task, target: np.ndarray, prediction: np.ndarray) -> None:
    """Raise `InputError` where predictions do not belong to these targets and this task."""
    rows = len(target)
    wanted = (rows, task.outputs) if task.classes or task.quantiles else (rows,)
    if prediction.shape != wanted:
        raise InputError(
            "predictions do not have the shape that the task asks for",
            seen=f"{prediction.shape} where {wanted} is needed",
        )
    if rows == 0:
        raise InputError("there is no row to score", remedy="Give at least one row with a known target.")
    if not np.isfinite(prediction).all():
        raise InputError(
            "some predictions are not finite numbers",
            seen=f"{int((~np.isfinite(prediction)).sum())} of {prediction.size}",
        )


def average(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean of per-row `values` (n,) under each weighting, shape (B,)."""
    averaged: np.ndarray = weights @ values / weights.sum(axis=1)
    return averaged
