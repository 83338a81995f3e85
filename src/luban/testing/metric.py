"""What every metric must do; run it over one of your own with `check_metric`."""

from __future__ import annotations

import math

import numpy as np

from luban.core.protocols import Metric
from luban.core.task import Task
from luban.evaluation.metrics.score import Resampled

_ROWS = 240
_WORDS = 5
TASKS = {
    "binary": Task(kind="binary", target="y", inputs=("x",), metric="log_loss", classes=("no", "yes")),
    "multiclass": Task(kind="multiclass", target="y", inputs=("x",), metric="log_loss", classes=("a", "b", "c")),
    "matching": Task(kind="matching", target="y", inputs=("x",), metric="mrr", classes=tuple("abcdefghijklmnopqrst")),
    "multilabel": Task(kind="multilabel", target="y", inputs=("x",), metric="f1_micro", classes=("a", "b", "c")),
    "tokens": Task(kind="tokens", target="y", inputs=("x",), metric="accuracy", classes=("B-A", "I-A", "O")),
    "regression": Task(kind="regression", target="y", inputs=("x",), metric="rmse"),
    "quantile": Task(kind="quantile", target="y", inputs=("x",), metric="pinball", quantiles=(0.1, 0.5, 0.9)),
}
"""One task of each kind, as the checks use them."""


def check_metric(metric: Metric) -> None:
    """Raise AssertionError where a metric breaks the protocol."""
    assert isinstance(metric, Metric), f"{metric!r} lacks a part of the protocol Metric"
    assert metric.name.isidentifier(), f"the name {metric.name!r} is no identifier"
    assert metric.kinds, f"{metric.name} fits no kind of task"
    unknown = set(metric.kinds) - set(TASKS)
    assert not unknown, f"{metric.name} names kinds of task that do not exist: {sorted(unknown)}"
    for kind in metric.kinds:
        _check_kind(metric, TASKS[kind])


def _check_kind(metric: Metric, task: Task) -> None:
    generator = np.random.default_rng(0)
    target = _target(task, generator)
    noisy = _prediction(task, target, generator, noise=1.0)
    truth = _prediction(task, target, generator, noise=0.0)
    kept = target.copy(), noisy.copy()

    score = metric(task, target, noisy)
    words = f"{metric.name} on a {task.kind} task"
    assert isinstance(score, float), f"{words} returns {type(score).__name__}, not float"
    assert math.isfinite(score), f"{words} returns {score}"
    assert metric(task, target, noisy) == score, f"{words} differs from call to call"
    assert (target == kept[0]).all(), f"{words} changes the target it is given"
    assert np.array_equal(noisy, kept[1], equal_nan=True), f"{words} changes the prediction it is given"

    best = metric(task, target, truth)
    better = best > score if metric.greater_is_better else best < score
    assert better, (
        f"{words} scores the truth {best} and noise {score}, though greater_is_better={metric.greater_is_better}"
    )

    order = generator.permutation(_ROWS)
    moved = metric(task, target[order], noisy[order])
    assert math.isclose(moved, score, rel_tol=1e-9), f"{words} depends on the order of the rows"

    ones = metric(task, target, noisy, np.ones(_ROWS))
    assert math.isclose(ones, score, rel_tol=1e-9), f"{words} changes where all weights are 1"
    counts = generator.integers(0, 3, _ROWS)
    weighted = metric(task, target, noisy, counts.astype(np.float64))
    repeated = metric(task, np.repeat(target, counts, axis=0), np.repeat(noisy, counts, axis=0))
    assert math.isclose(weighted, repeated, rel_tol=1e-9), f"{words}: a weight of 2 is not a row given twice"

    if isinstance(metric, Resampled):
        weights = generator.integers(0, 3, (3, _ROWS)).astype(np.float64)
        together = metric.resampled(task, target, noisy, weights)
        apart = [metric(task, target, noisy, one) for one in weights]
        assert np.allclose(together, apart, rtol=1e-9), f"{words}: many weightings at once differ from one by one"


def _target(task: Task, generator: np.random.Generator) -> np.ndarray:
    if not task.classes:
        return generator.normal(10, 3, _ROWS)
    if task.kind == "multilabel":
        return (generator.random((_ROWS, len(task.classes))) < np.array([0.6, 0.4, 0.2])).astype(np.float64)
    if task.kind == "tokens":
        words = generator.integers(0, len(task.classes), (_ROWS, _WORDS))
        return np.where(np.arange(_WORDS) < generator.integers(1, _WORDS + 1, _ROWS)[:, None], words, -1)
    codes: np.ndarray = np.arange(_ROWS) % len(task.classes)
    return codes


def _prediction(task: Task, target: np.ndarray, generator: np.random.Generator, *, noise: float) -> np.ndarray:
    if task.kind == "multilabel":
        margins = 10 * (1 - noise) * (target - 0.5) + noise * generator.normal(size=target.shape)
        return np.asarray(1 / (1 + np.exp(-margins)))
    if task.kind == "tokens":
        logits = 5 * (1 - noise) * np.eye(len(task.classes))[target] + noise * generator.normal(
            size=(*target.shape, len(task.classes))
        )
        raised = np.exp(logits)
        given: np.ndarray = np.where(target[:, :, None] < 0, np.nan, raised / raised.sum(axis=2, keepdims=True))
        return given
    if task.classes:
        logits = 5 * (1 - noise) * np.eye(len(task.classes))[target] + noise * generator.normal(
            size=(_ROWS, len(task.classes))
        )
        raised = np.exp(logits)
        shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
        return shares
    middle: np.ndarray = target + 3 * noise * generator.normal(size=_ROWS)
    if task.quantiles:
        return middle[:, None] + noise * np.linspace(-2, 2, len(task.quantiles))
    return middle
