"""How good a model was on rows that it had not learnt from, in what it takes to tell its quality without labels."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time, from JSON
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.bootstrap import bootstrap
from luban.evaluation.calibration import reliability
from luban.evaluation.slices import loss_by_row
from luban.monitoring.outputs import judged as judging
from luban.monitoring.outputs import surest

if TYPE_CHECKING:
    from luban.core.protocols import Metric
    from luban.core.task import Task
    from luban.evaluation.bootstrap import Interval

_BINS = 20
_DRAWS = 100
_FEWEST = 200  # rows from which a calibration is more than noise


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Quality on rows that were not learnt from.

    Parameters
    ----------
    rows : int
    metrics : mapping of str to float
        Score by name.
    margins : mapping of str to float
        Half the width of each score's 95 % interval.
    said, came : tuple of tuple of float
        For each class or label points of its calibration: predicted probabilities, rising, and the share of rows that
        were of that class, or had that label, there. Of answers and labels of words one each: how sure they were,
        rising, and the share that was right. For numbers one each: predictions, rising, and the mean absolute error.
    squared : tuple of float
        For numbers the mean squared error at these points.
    typical : float
        Median loss of a row.
    """

    rows: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    margins: Mapping[str, float] = field(default_factory=dict)
    said: tuple[tuple[float, ...], ...] = ()
    came: tuple[tuple[float, ...], ...] = ()
    squared: tuple[float, ...] = ()
    typical: float = 0.0


def expected(task: Task, target: np.ndarray, prediction: np.ndarray, *, threshold: float | None = None) -> Expected:
    """Return what to expect of a model, from predictions of rows that it had not learnt from.

    Parameters
    ----------
    target, prediction : numpy.ndarray
        As `luban.core.protocols` has them; predictions as `luban.learners.logged.shortened` gives them.
    threshold : float, optional
        From which probability on the model decides.
    """
    judged, _ = judging(task)
    drawn = bootstrap(judged, task, target, [prediction], threshold=threshold, count=_DRAWS)
    intervals = {one.name: drawn.interval(place) for place, one in enumerate(judged)}
    scores = {name: one for name, one in intervals.items() if np.isfinite(one.value)}
    said: list[tuple[float, ...]] = []
    came: list[tuple[float, ...]] = []
    squared: tuple[float, ...] = ()
    events: list[tuple[np.ndarray, np.ndarray]] = []
    if len(target) >= _FEWEST and task.kind in ("tokens", "matching"):
        sure, codes = surest(prediction)
        events = [(sure, codes == _truth(task, target, prediction))]
    elif len(target) >= _FEWEST and task.classes:
        came_true = target > 0 if task.kind == "multilabel" else target[:, None] == np.arange(len(task.classes))
        events = [(prediction[:, code], came_true[:, code]) for code in range(len(task.classes))]
    for probabilities, true in events:
        points, shares, counts = reliability(probabilities, true, _BINS)
        # Two rows of the predicted share are added, so that no bin promises certainty.
        said.append(_plain(points))
        came.append(_plain((shares * counts + 2 * points) / (counts + 2)))
    if len(target) >= _FEWEST and task.kind == "regression":
        errors = np.abs(target - prediction)
        points, means, _ = reliability(prediction, errors, _BINS)
        said, came = [_plain(points)], [_plain(means)]
        squared = _plain(reliability(prediction, errors**2, _BINS)[1])
    return Expected(
        rows=len(target),
        metrics={name: one.value for name, one in scores.items()},
        margins={name: (one.high - one.low) / 2 for name, one in scores.items() if np.isfinite(one.low)},
        said=tuple(said),
        came=tuple(came),
        squared=squared,
        typical=float(np.median(loss_by_row(task, target, prediction)[1])),
    )


def _truth(task: Task, target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the codes of the right answers, or of the labels of all words that were read, in the order of rows."""
    if task.kind != "tokens":
        return target
    read = np.isfinite(prediction).all(axis=2)
    whole = np.full(read.shape, -1, dtype=np.int64)
    width = min(target.shape[1], read.shape[1])
    whole[:, :width] = target[:, :width]
    found: np.ndarray = whole[read]
    return found


def worse(expected: Expected | None, metric: Metric, now: Interval) -> bool:
    """Return whether a score is worse than what was expected, beyond the doubt about both."""
    before = None if expected is None else expected.metrics.get(metric.name)
    if expected is None or before is None or not np.isfinite(now.low):
        return False
    doubt = np.hypot((now.high - now.low) / 2, expected.margins.get(metric.name, 0.0))
    return bool((before - now.value) * (1 if metric.greater_is_better else -1) > doubt)


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
