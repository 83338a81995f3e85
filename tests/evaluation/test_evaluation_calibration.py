"""Temperature, calibration error and decision threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from luban.core.task import Task
from luban.evaluation.calibration import (
    calibration_error_by_chance,
    expected_calibration_error,
    fit_temperature,
    reliability,
    soften,
)
from luban.evaluation.metrics import metric
from luban.evaluation.threshold import best_threshold, confusion_by_threshold

BINARY = Task(kind="binary", target="y", inputs=("x",), metric="f1", classes=("no", "yes"))


def honest(rows: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and outcomes drawn from them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, classes)) * 1.5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (generator.random((rows, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return shares, np.minimum(target, classes - 1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("distortion", [0.4, 3.0])
def test_temperature_undoes_a_distortion(classes: int, distortion: float) -> None:
    """Sharpened or flattened probabilities come back; the optimum is the one a general optimiser finds."""
    shares, target = honest(6000, classes, 0)
    distorted = soften(shares, distortion)
    temperature = fit_temperature(distorted, target)
    assert temperature == pytest.approx(1 / distortion, rel=0.1)

    def judged(logarithm: float) -> float:
        given = soften(distorted, float(np.exp(logarithm)))[np.arange(len(target)), target]
        return float(-np.log(given).mean())

    best = minimize_scalar(judged, bounds=(-3, 3), method="bounded", options={"xatol": 1e-8})
    assert temperature == pytest.approx(np.exp(best.x), rel=1e-4)


def test_temperature_is_left_alone_where_it_cannot_be_trusted() -> None:
    """Too few rows, however distorted, or rows on which no temperature helps, keep 1."""
    shares, target = honest(2999, 2, 1)
    assert fit_temperature(soften(shares, 3.0), target) == 1.0
    shares, target = honest(499, 3, 1)
    assert fit_temperature(soften(shares, 3.0), target) == 1.0
    kept = [fit_temperature(*honest(3000, 2, seed)) for seed in range(12)]
    assert sum(one == 1.0 for one in kept) >= 4
    assert all(abs(one - 1) < 0.1 for one in kept)


def test_temperature_survives_certainty() -> None:
    """Probabilities of exactly 0 and 1, some wrong, give a finite temperature above 1 and no warning."""
    generator = np.random.default_rng(2)
    target = generator.integers(0, 2, 4000)
    said = np.where(generator.random(4000) < 0.9, target, 1 - target)
    with np.errstate(all="raise", under="ignore"):
        temperature = fit_temperature(np.eye(2)[said], target)
    assert 1 < temperature <= 20


def test_calibration_error_tells_honest_from_overconfident() -> None:
    """Honest probabilities stay under what chance allows; sharpened ones do not."""
    shares, target = honest(5000, 2, 3)
    limit = calibration_error_by_chance(shares[:, 1])
    assert expected_calibration_error(shares[:, 1], target == 1) < limit * 1.2
    sharp = soften(shares, 0.3)[:, 1]
    assert expected_calibration_error(sharp, target == 1) > 2 * calibration_error_by_chance(sharp)


def test_reliability_bins_hold_all_rows() -> None:
    """Bins cover every row once and their means recombine to the overall means."""
    shares, target = honest(1003, 2, 4)
    said, came, counts = reliability(shares[:, 1], target == 1, bins=15)
    assert counts.sum() == 1003
    assert (said * counts).sum() / 1003 == pytest.approx(shares[:, 1].mean())
    assert (came * counts).sum() / 1003 == pytest.approx(target.mean())
    assert (np.diff(said) >= 0).all()


def test_confusion_by_threshold_counts_decisions() -> None:
    """The matrix at each threshold is the one that deciding there gives."""
    generator = np.random.default_rng(5)
    scores, target = np.round(generator.random(80), 1), generator.integers(0, 2, 80)
    thresholds, matrices = confusion_by_threshold(target, scores)
    for threshold, matrix in zip(thresholds, matrices, strict=True):
        decided = (scores >= threshold).astype(int)
        expected = [[((target == t) & (decided == d)).sum() for d in (0, 1)] for t in (0, 1)]
        assert matrix.tolist() == expected


def test_threshold_helps_a_rare_class() -> None:
    """F1 of a rare class rises on rows that the threshold was not chosen on."""
    generator = np.random.default_rng(6)
    target = (generator.random(8000) < 0.06).astype(int)
    score = 1 / (1 + np.exp(-(generator.normal(size=8000) + 2.2 * target - 3.5)))
    prediction = np.stack([1 - score, score], axis=1)
    threshold = best_threshold(metric("f1"), BINARY, target[:4000], prediction[:4000])
    assert threshold < 0.4
    decided = np.eye(2)[(score[4000:] >= threshold).astype(int)]
    f1 = metric("f1")
    assert f1(BINARY, target[4000:], decided) > f1(BINARY, target[4000:], prediction[4000:]) + 0.05


def test_threshold_stays_at_one_half_without_reason() -> None:
    """A metric of probabilities, another kind of task, or a single class moves nothing."""
    shares, target = honest(500, 2, 7)
    assert best_threshold(metric("roc_auc"), BINARY, target, shares) == 0.5
    assert best_threshold(metric("f1"), BINARY, np.ones(50, int), shares[:50]) == 0.5
    three = Task(kind="multiclass", target="y", inputs=("x",), metric="accuracy", classes=("a", "b", "c"))
    assert best_threshold(metric("accuracy"), three, *honest(50, 3, 8)[::-1]) == 0.5
