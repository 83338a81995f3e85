"""What a built-in metric is: a function over many weightings of the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.task import Task

    Function = Callable[[Task, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

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
    decisions : bool
        Whether it judges what is decided rather than how likely it is said to be.
    """

    name: str
    greater_is_better: bool
    kinds: tuple[str, ...]
    function: Function
    decisions: bool = False

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
    wanted: tuple[int, ...] = (rows, task.outputs) if task.classes or task.quantiles else (rows,)
    if task.kind == "tokens":  # of any number of words; what is NaN is no word, or was not read
        wanted = (rows, *prediction.shape[1:2], task.outputs)
    due = (rows, task.outputs) if task.kind == "multilabel" else (*target.shape[:2],) if task.kind == "tokens" else None
    if prediction.shape != wanted or (due is not None and target.shape != due):
        raise InputError(
            "predictions do not have the shape that the task asks for",
            seen=f"{prediction.shape} where {wanted} is needed, for a target of {target.shape}",
        )
    if rows == 0:
        raise InputError("there is no row to score", remedy="Give at least one row with a known target.")
    finite = np.isfinite(prediction) | (np.isnan(prediction) & (task.kind == "tokens"))
    if not finite.all():
        raise InputError(
            "some predictions are not finite numbers",
            seen=f"{int((~finite).sum())} of {prediction.size}",
        )


def average(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean of per-row `values` (n,) under each weighting, shape (B,)."""
    averaged: np.ndarray = weights @ values / weights.sum(axis=1)
    return averaged


def share(part: np.ndarray, whole: np.ndarray, otherwise: float) -> np.ndarray:
    """Return part / whole, and `otherwise` where there is no whole."""
    divided: np.ndarray = np.divide(
        part, whole, out=np.full(np.shape(part), otherwise, dtype=np.float64), where=np.asarray(whole) > 0
    )
    return divided


def by_kind(functions: Mapping[str, Function]) -> Function:
    """Return the function that scores each kind of task by its own; `kinds` of the metric must be their names."""

    def function(task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return functions[task.kind](task, target, prediction, weights)

    return function


def judges_decisions(metric: object) -> bool:
    """Return whether a metric judges what is decided, so that a threshold changes its score."""
    return bool(getattr(metric, "decisions", False))
