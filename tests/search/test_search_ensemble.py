"""The greedy ensemble never does worse than its best member, for any metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luban.core.task import Task
from luban.evaluation.metrics import loss as loss_of
from luban.search.ensemble.greedy import greedy_weights
from luban.search.ensemble.losses import LOG_LOSS_SHARE, judge

CASES = [
    ("binary", "roc_auc", 2),
    ("binary", "log_loss", 2),
    ("binary", "accuracy", 2),
    ("binary", "average_precision", 2),
    ("binary", "f1", 2),
    ("multiclass", "log_loss", 4),
    ("multiclass", "accuracy", 4),
    ("multiclass", "roc_auc", 4),
    ("regression", "rmse", 1),
    ("regression", "mae", 1),
    ("regression", "r2", 1),
    ("regression", "median_absolute_error", 1),
    ("quantile", "pinball", 3),
]


def made(kind: str, metric: str, outputs: int, *, seed: int, models: int = 5, rows: int = 400) -> tuple:
    generator = np.random.default_rng(seed)
    classes = tuple("abcd"[:outputs]) if kind in ("binary", "multiclass") else ()
    quantiles = (0.1, 0.5, 0.9) if kind == "quantile" else ()
    task = Task(kind=kind, target="y", inputs=("x",), metric=metric, classes=classes, quantiles=quantiles)
    if classes:
        target = generator.integers(0, outputs, rows)
        scores = generator.normal(size=(models, rows, outputs))
        scores[:, np.arange(rows), target] += generator.uniform(0.2, 2.0, (models, 1))
        predictions = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
        predictions = np.round(predictions, 2)  # ties
        predictions /= predictions.sum(axis=2, keepdims=True)
    else:
        target = generator.normal(size=rows)
        predictions = target + generator.normal(size=(models, rows)) * generator.uniform(0.3, 1, (models, 1))
        if quantiles:
            predictions = np.sort(predictions[:, :, None] + np.array([-1.0, 0.0, 1.0]), axis=2)
    return task, target, predictions


@pytest.mark.parametrize(("kind", "metric", "outputs"), CASES)
def test_fast_losses_are_the_metrics_own(kind: str, metric: str, outputs: int) -> None:
    task, target, predictions = made(kind, metric, outputs, seed=1)
    judged = judge(task, target, predictions)
    expected = [loss_of(metric, task, target, one) for one in predictions]
    if metric == "accuracy":  # decisions are judged by the log loss too, lightly
        expected = [
            one + LOG_LOSS_SHARE * loss_of("log_loss", task, target, p)
            for one, p in zip(expected, predictions, strict=True)
        ]
    assert judged.losses(judged.features) == pytest.approx(expected, rel=1e-6, abs=2e-6)


@pytest.mark.parametrize(("kind", "metric", "outputs"), CASES)
def test_a_blend_is_no_worse_than_the_best_member(kind: str, metric: str, outputs: int) -> None:
    task, target, predictions = made(kind, metric, outputs, seed=2)
    weights = greedy_weights(task, target, predictions)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
    blended = loss_of(metric, task, target, np.tensordot(weights, predictions, axes=1))
    assert blended <= min(loss_of(metric, task, target, one) for one in predictions) + 2e-6


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), models=st.integers(1, 9), members=st.integers(1, 4))
def test_there_are_never_more_members_than_allowed(seed: int, models: int, members: int) -> None:
    task, target, predictions = made("regression", "rmse", 1, seed=seed, models=models, rows=60)
    weights = greedy_weights(task, target, predictions, members=members)
    assert 1 <= np.count_nonzero(weights) <= members


def test_copies_of_a_member_get_no_weight() -> None:
    """Of models that are equal the one that is already in is taken again: fewer models, same blend."""
    task, target, predictions = made("binary", "log_loss", 2, seed=3, models=1)
    weights = greedy_weights(task, target, np.repeat(predictions, 4, axis=0))
    assert weights.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_member_that_adds_nothing_is_left_out() -> None:
    task, target, predictions = made("regression", "rmse", 1, seed=4, models=3)
    noise = np.random.default_rng(9).normal(size=(1, len(target))) * 50
    assert greedy_weights(task, target, np.concatenate([predictions, noise]))[-1] == 0


def test_a_gain_that_is_chance_keeps_no_member() -> None:
    """Less than a thousandth of the loss is no reason to run another model at every prediction."""
    task = Task(kind="regression", target="y", inputs=("x",), metric="rmse")
    random = np.random.default_rng(3)
    target = random.normal(size=400)
    shared, own = random.normal(size=400), 0.03 * random.normal(size=400)
    own -= (own @ shared) / (shared @ shared) * shared
    close = np.stack([target + shared + own, target + shared - 1.3 * own])
    blended = loss_of("rmse", task, target, close.mean(axis=0))
    assert blended < min(loss_of("rmse", task, target, one) for one in close)
    assert np.count_nonzero(greedy_weights(task, target, close, worth=0.0)) == 1
    far = np.stack([target + shared, target + random.normal(size=400)])
    assert np.count_nonzero(greedy_weights(task, target, far)) == 2


def test_predictions_without_a_defined_loss_are_never_chosen() -> None:
    task = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=("a", "b"))
    weights = greedy_weights(task, np.zeros(10, dtype=np.int64), np.full((2, 10, 2), 0.5))
    assert weights.tolist() == [1.0, 0.0], "with one class no metric of order is defined; the first model stands"
