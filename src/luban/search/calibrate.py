"""The last touch on an ensemble: honest probabilities, quantiles that cover, a decision threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.calibration import fit_temperature, soften
from luban.evaluation.metrics import f1_micro, metric
from luban.evaluation.metrics import loss as loss_of
from luban.evaluation.metrics.score import judges_decisions
from luban.evaluation.metrics.tokens import words
from luban.evaluation.threshold import USUAL, best_threshold, reject_threshold

if TYPE_CHECKING:
    from luban.core.task import Task

# Rows a quantile below which a shift is more noise than signal.
_SHIFT_ROWS = 200
# Rows x answers that a temperature is fitted on.
_CELLS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What is done to the blended prediction; each part only where it helps.

    Parameters
    ----------
    temperature : float
        1.0 for none.
    threshold : float, optional
        None for the likelier class.
    shifts : tuple of float
        Empty for none.
    """

    temperature: float = 1.0
    threshold: float | None = None
    shifts: tuple[float, ...] = ()


def calibrate(task: Task, target: np.ndarray, prediction: np.ndarray, *, seed: int) -> Calibration:
    """Return the calibration that predictions out of fold call for."""
    if task.kind == "quantile":
        return Calibration(shifts=_shifts(task, target, prediction))
    if task.kind == "multilabel":
        return _of_labels(task, target, prediction, seed)
    if task.kind == "tokens":
        found = words(target, prediction)
        read = found.decided >= 0
        shares = found.prediction[read] / found.prediction[read].sum(axis=1, keepdims=True)
        return Calibration(temperature=fit_temperature(shares, found.target[read], seed=seed))
    if task.kind == "matching":
        few = np.unique(np.linspace(0, len(target) - 1, max(1, _CELLS // task.outputs)).astype(int))
        temperature = fit_temperature(prediction[few], target[few], seed=seed)
        honest = soften(prediction, temperature)
        return Calibration(temperature=temperature, threshold=reject_threshold(target, honest))
    if not task.classifies:
        return Calibration()
    temperature = fit_temperature(prediction, target, seed=seed)
    threshold = best_threshold(metric(task.metric, task), task, target, soften(prediction, temperature), seed=seed)
    return Calibration(temperature=temperature, threshold=None if threshold == USUAL else float(threshold))


def _of_labels(task: Task, target: np.ndarray, prediction: np.ndarray, seed: int) -> Calibration:
    """Return one temperature and one threshold for all labels; where the metric judges no decisions F1 chooses it."""
    cells = np.column_stack([1.0 - prediction.ravel(), prediction.ravel()])
    temperature = fit_temperature(cells, target.ravel().astype(np.int64), seed=seed)
    honest = soften(cells, temperature)[:, 1].reshape(prediction.shape)
    own = metric(task.metric, task)
    threshold = best_threshold(own if judges_decisions(own) else f1_micro, task, target, honest, seed=seed)
    return Calibration(temperature=temperature, threshold=None if threshold == USUAL else float(threshold))


def _shifts(task: Task, target: np.ndarray, prediction: np.ndarray) -> tuple[float, ...]:
    """Return how far each quantile is moved so that it covers its share (Romano et al., 2019), if the loss falls."""
    if len(target) < _SHIFT_ROWS:
        return ()
    halves = np.arange(0, len(target), 2), np.arange(1, len(target), 2)
    gain = 0.0
    for fitted, judged in (halves, halves[::-1]):
        moved = prediction[judged] + _residual_quantiles(task, target[fitted], prediction[fitted])
        gain += loss_of(task.metric, task, target[judged], prediction[judged])
        gain -= loss_of(task.metric, task, target[judged], np.sort(moved, axis=1))
    if gain <= 0:
        return ()
    return tuple(float(shift) for shift in _residual_quantiles(task, target, prediction))


def _residual_quantiles(task: Task, target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    residuals = target[:, None] - prediction
    return np.array([np.quantile(residuals[:, place], level) for place, level in enumerate(task.quantiles)])
