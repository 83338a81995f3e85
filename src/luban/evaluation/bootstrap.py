"""Confidence intervals by the bootstrap, over all metrics and models at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics.decision import decide
from luban.evaluation.metrics.multilabel import said
from luban.evaluation.metrics.score import Resampled, judges_decisions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from luban.core.protocols import Metric
    from luban.core.task import Task

LEVEL = 0.95
# A bootstrap touches about rows x draws x classes numbers for a metric; this many take about a second.
_CELLS = 40_000_000
_CHUNK = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score and the interval that holds the true one with a confidence of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Scores of M metrics on P predictions of the same rows, and what they are on B resamples of the rows.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (M, P).
    draws : numpy.ndarray
        Shape (M, P, B); the same resamples for all metrics and predictions, so that differences are paired.
    """

    values: np.ndarray
    draws: np.ndarray

    def interval(self, metric: int, prediction: int = 0) -> Interval:
        """Return the percentile interval of one metric on one prediction."""
        return interval_of(float(self.values[metric, prediction]), self.draws[metric, prediction])

    def difference(self, metric: int, first: int, second: int) -> Interval:
        """Return the paired interval of the score of `second` minus that of `first`."""
        gap = self.values[metric, second] - self.values[metric, first]
        return interval_of(float(gap), self.draws[metric, second] - self.draws[metric, first])


def interval_of(value: float, draws: np.ndarray) -> Interval:
    """Return the percentile interval of `draws`, NaN where no draw is defined."""
    defined = draws[np.isfinite(draws)]
    if len(defined) == 0:
        return Interval(value=value, low=np.nan, high=np.nan)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))


def resamples(rows: int, count: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield weightings (b, rows), `count` in all: how often each row is drawn when `rows` are drawn with return."""
    step = max(1, _CHUNK // rows)
    for start in range(0, count, step):
        drawn = generator.integers(0, rows, (min(step, count - start), rows), dtype=np.int32)
        yield np.stack([np.bincount(one, minlength=rows) for one in drawn]).astype(np.float64)


def bootstrap(
    metrics: Sequence[Metric],
    task: Task,
    target: np.ndarray,
    predictions: Sequence[np.ndarray],
    *,
    weight: np.ndarray | None = None,
    threshold: float | Sequence[float | None] | None = None,
    count: int = 200,
    seed: int = 0,
) -> Bootstrap:
    """Score each metric on each prediction of the same rows, and on resamples of the rows.

    Parameters
    ----------
    predictions : sequence of numpy.ndarray
        P predictions of the same rows.
    weight : numpy.ndarray, optional
        Shape (n,).
    threshold : float or sequence of float, optional
        Where metrics of decisions draw the line in a binary or multilabel task, for all predictions or for each.
    count : int
        B, the number of resamples.

    Notes
    -----
    Where rows x draws would take longer than about a second a metric, the resamples are drawn from a random
    part of m rows and their spread is shrunk by sqrt(m / n), the rate at which it falls with the
    rows (Politis and Romano 1994).
    """
    lines = [threshold] * len(predictions) if threshold is None or isinstance(threshold, float | int) else threshold
    judged = [
        [as_judged(one, task, prediction, line) for prediction, line in zip(predictions, lines, strict=True)]
        for one in metrics
    ]
    values = np.array(
        [
            [one(task, target, prediction, weight) for prediction in shown]
            for one, shown in zip(metrics, judged, strict=True)
        ]
    )
    rows = len(target)
    generator = np.random.default_rng(seed)
    part = min(rows, max(2000, _CELLS // max(1, count * task.outputs)))
    chosen = np.sort(generator.choice(rows, part, replace=False)) if part < rows else np.arange(rows)
    near = None if weight is None else weight[chosen]
    kept = [[prediction[chosen] for prediction in shown] for shown in judged]
    draws = np.empty((*values.shape, count))
    done = 0
    for drawn in resamples(part, count, generator):
        weights = drawn if near is None else drawn * near
        for place, one in enumerate(metrics):
            for model, prediction in enumerate(kept[place]):
                scores = _scores(one, task, target[chosen], prediction, weights)
                draws[place, model, done : done + len(drawn)] = scores
        done += len(drawn)
    if part < rows and count:
        centre = np.nanmean(draws, axis=2, keepdims=True)
        draws = values[:, :, None] + (draws - centre) * np.sqrt(part / rows)
    return Bootstrap(values=values, draws=draws)


def as_judged(metric: Metric, task: Task, prediction: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return `prediction` as the metric must see it: decided at the threshold where it judges decisions."""
    if threshold is None or not judges_decisions(metric) or task.kind not in ("binary", "multilabel"):
        return prediction
    if task.kind == "multilabel":
        return said(prediction, threshold)
    decided: np.ndarray = np.eye(prediction.shape[1])[decide(prediction, threshold)]
    return decided


def _scores(metric: Metric, task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if isinstance(metric, Resampled):
        return metric.resampled(task, target, prediction, weights)
    return np.array([metric(task, target, prediction, one) for one in weights])
