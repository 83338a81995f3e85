"""The quality of predictions without labels, from how sure the model says it is.

For classes this is the confidence-based estimate (CBPE): where a row's probabilities, corrected by the calibration on
rows that were not learnt from, are p, it counts as a row of class k with weight p_k in any metric (Guillory et al.
2021, Predicting with confidence on unseen distributions, for the corrected mean confidence). For numbers it is the mean
error that rows with such predictions had. Of labels each counts by itself. Of answers among many, and of labels of
words, the share that is right is estimated from how sure they are (the interval takes words for independent). All hold
as long as only the inputs move; that the same inputs come to mean something else (concept drift) only labels show.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.bootstrap import Interval, interval_of
from luban.monitoring.outputs import judged, surest

if TYPE_CHECKING:
    from luban.core.protocols import Metric
    from luban.core.task import Task
    from luban.monitoring.expected import Expected

_ROWS = 5_000  # rows that are drawn for the interval
_DRAWS = 60
_CELLS = 400_000


def estimate(task: Task, prediction: np.ndarray, expected: Expected | None, *, seed: int = 0) -> dict[str, Interval]:
    """Return the estimated score by metric, with the interval in which the true one of these rows is to be expected.

    Parameters
    ----------
    prediction : numpy.ndarray
        As `luban.core.protocols.Model.predict` gives it; rows with NaN are left out.
    expected : Expected, optional
        Whose calibration corrects the probabilities; without one they are taken as they are.

    Returns
    -------
    dict
        Empty where this kind of task, or what is known of the model, allows no estimate.
    """
    if task.kind in ("tokens", "matching"):
        return _of_surest(prediction, expected, seed)
    prediction = prediction[np.isfinite(prediction).reshape(len(prediction), -1).all(axis=1)]
    if not len(prediction):
        return {}
    if task.kind in ("binary", "multiclass"):
        return _of_classes(task, prediction, expected, seed)
    if task.kind == "multilabel":
        return _of_labels(task, prediction, expected, seed)
    if task.kind == "regression" and expected is not None and expected.said:
        return _of_numbers(prediction, expected, seed)
    return {}


def calibrated(prediction: np.ndarray, expected: Expected | None) -> np.ndarray:
    """Return probabilities corrected by the calibration, shape (n, K), rows that sum to 1."""
    if expected is None or not expected.said:
        return prediction
    if prediction.shape[1] == 2:
        positive = np.interp(prediction[:, 1], expected.said[1], expected.came[1])
        return np.column_stack([1 - positive, positive])
    shares = np.column_stack(
        [
            np.interp(prediction[:, code], expected.said[code], expected.came[code])
            for code in range(prediction.shape[1])
        ]
    )
    corrected: np.ndarray = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    return corrected


def _of_classes(task: Task, prediction: np.ndarray, expected: Expected | None, seed: int) -> dict[str, Interval]:
    generator = np.random.default_rng(seed)
    rows, classes = prediction.shape
    part = min(rows, max(500, _CELLS // classes))
    if part < rows:
        prediction = prediction[generator.choice(rows, part, replace=False)]
    honest = calibrated(prediction, expected)
    likely = _likely(task)
    found = {}
    for one in likely:
        weighted = _weighted(one, task, prediction, honest)
        draws = np.array([_drawn(one, task, prediction, honest, generator) for _ in range(_DRAWS)])
        centre = np.nanmean(draws) if np.isfinite(draws).any() else math.nan
        shrink = math.sqrt(min(len(prediction), _ROWS) / rows)
        found[one.name] = interval_of(weighted, weighted + (draws - centre) * shrink)
    return {name: one for name, one in found.items() if math.isfinite(one.value)}


def _likely(task: Task) -> list[Metric]:
    known, own = judged(task)
    return [one for one in known if one.name in {own.name, "accuracy"}]


def _of_labels(task: Task, prediction: np.ndarray, expected: Expected | None, seed: int) -> dict[str, Interval]:
    """Return the mean score, and its spread, if each label were drawn by its probability."""
    generator = np.random.default_rng(seed)
    rows, classes = prediction.shape
    part = min(rows, max(500, _CELLS // classes))
    if part < rows:
        prediction = prediction[generator.choice(rows, part, replace=False)]
    honest = prediction
    if expected is not None and expected.said:
        points = zip(prediction.T, expected.said, expected.came, strict=True)
        honest = np.column_stack([np.interp(one, said, came) for one, said, came in points])
    draws: dict[str, list[float]] = {one.name: [] for one in _likely(task)}
    for _ in range(_DRAWS):
        chosen = generator.integers(0, len(prediction), len(prediction))
        target = (generator.random(honest.shape) < honest[chosen]).astype(np.float64)
        for one in _likely(task):
            draws[one.name].append(float(one(task, target, prediction[chosen])))
    found = {}
    for name, scores in draws.items():
        drawn = np.array(scores)
        if np.isfinite(drawn).any():
            centre = float(np.nanmean(drawn))
            found[name] = interval_of(centre, centre + (drawn - centre) * math.sqrt(len(prediction) / rows))
    return found


def _of_surest(prediction: np.ndarray, expected: Expected | None, seed: int) -> dict[str, Interval]:
    sure, _ = surest(prediction)
    if not len(sure):
        return {}
    right = np.interp(sure, expected.said[0], expected.came[0]) if expected is not None and expected.said else sure
    centre = float(right.mean())
    # Rows are drawn anew, and each is right or not by its chance: the variance of both together, of single answers.
    spread = math.sqrt(centre * (1 - centre) / len(right))
    draws = np.clip(centre + np.random.default_rng(seed).normal(0, spread, _DRAWS), 0.0, 1.0)
    return {"accuracy": interval_of(centre, draws)}


def _weighted(metric: Metric, task: Task, prediction: np.ndarray, honest: np.ndarray) -> float:
    classes = prediction.shape[1]
    target = np.tile(np.arange(classes), len(prediction))
    return float(metric(task, target, np.repeat(prediction, classes, axis=0), honest.ravel()))


def _drawn(
    metric: Metric, task: Task, prediction: np.ndarray, honest: np.ndarray, generator: np.random.Generator
) -> float:
    """Return the score of some rows, drawn with return, if each were of a class drawn by its probabilities."""
    chosen = generator.integers(0, len(prediction), min(len(prediction), _ROWS))
    steps = np.cumsum(honest[chosen], axis=1)
    target = np.minimum((generator.random((len(chosen), 1)) * steps[:, -1:] > steps).sum(axis=1), honest.shape[1] - 1)
    if len(np.unique(target)) < 2:
        return math.nan
    return float(metric(task, target, prediction[chosen]))


def _of_numbers(prediction: np.ndarray, expected: Expected, seed: int) -> dict[str, Interval]:
    generator = np.random.default_rng(seed)
    found = {}
    for name, means, finish in (("mae", expected.came[0], float), ("rmse", expected.squared, math.sqrt)):
        errors = np.interp(prediction, expected.said[0], means)
        # Of single errors only the means are known; their spread is taken to be that of exponential ones.
        spread = math.sqrt(float((errors**2).mean()) / len(errors))
        draws = np.maximum(0, errors.mean() + generator.normal(0, spread, _DRAWS))
        found[name] = interval_of(finish(float(errors.mean())), np.array([finish(float(one)) for one in draws]))
    return found
