"""The built-in metrics equal scikit-learn's, weighted and unweighted, and refuse what they cannot judge."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.preprocessing import label_binarize

from luban.core import plugins
from luban.core.errors import InputError, NotFound
from luban.core.task import Task
from luban.evaluation.metrics import fitting, loss, metric
from luban.evaluation.metrics.score import Resampled

if TYPE_CHECKING:
    from collections.abc import Callable

BINARY = Task(kind="binary", target="y", inputs=("x",), metric="roc_auc", classes=("no", "yes"))
MULTICLASS = Task(kind="multiclass", target="y", inputs=("x",), metric="log_loss", classes=("a", "b", "c", "d"))
REGRESSION = Task(kind="regression", target="y", inputs=("x",), metric="rmse")
QUANTILE = Task(kind="quantile", target="y", inputs=("x",), metric="pinball", quantiles=(0.1, 0.5, 0.9))
TASKS = {task.kind: task for task in (BINARY, MULTICLASS, REGRESSION, QUANTILE)}


def example(task: Task, rows: int, seed: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Targets and imperfect predictions of a task; with ties many predictions are equal."""
    generator = np.random.default_rng(seed)
    if task.classes:
        target = generator.integers(0, len(task.classes), rows)
        target[: len(task.classes)] = np.arange(len(task.classes))
        logits = generator.normal(size=(rows, len(task.classes))) + 1.2 * np.eye(len(task.classes))[target]
        if ties:
            logits = np.round(logits)
        shares = np.exp(logits)
        return target, shares / shares.sum(axis=1, keepdims=True)
    target = generator.normal(50, 10, rows)
    if task.quantiles:
        return target, target[:, None] + generator.normal(size=(rows, 1)) * 5 + np.array([-12.0, 0.0, 12.0])
    return target, target + generator.normal(size=rows) * 5


def hot(y: np.ndarray, k: int) -> np.ndarray:
    """One column a class, for two classes as well."""
    return np.eye(k)[y] if k == 2 else label_binarize(y, classes=np.arange(k))


REFERENCE: dict[str, Callable[..., float]] = {
    "roc_auc": lambda t, y, p, w: (
        reference.roc_auc_score(y, p[:, 1], sample_weight=w)
        if t.kind == "binary"
        else reference.roc_auc_score(y, p, sample_weight=w, multi_class="ovr")
    ),
    "average_precision": lambda t, y, p, w: (
        reference.average_precision_score(y, p[:, 1], sample_weight=w)
        if t.kind == "binary"
        else reference.average_precision_score(hot(y, p.shape[1]), p, sample_weight=w)
    ),
    "log_loss": lambda t, y, p, w: reference.log_loss(y, p, sample_weight=w, labels=np.arange(p.shape[1])),
    "brier_score": lambda t, y, p, w: reference.brier_score_loss(
        y, p[:, 1] if t.kind == "binary" else p, sample_weight=w
    ),
    "accuracy": lambda t, y, p, w: reference.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda t, y, p, w: reference.balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1": lambda t, y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w),
    "f1_macro": lambda t, y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w, average="macro"),
    "precision": lambda t, y, p, w: reference.precision_score(y, p.argmax(1), sample_weight=w, zero_division=0),
    "recall": lambda t, y, p, w: reference.recall_score(y, p.argmax(1), sample_weight=w),
    "matthews_corrcoef": lambda t, y, p, w: reference.matthews_corrcoef(y, p.argmax(1), sample_weight=w),
    "rmse": lambda t, y, p, w: reference.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda t, y, p, w: reference.mean_absolute_error(y, p, sample_weight=w),
    "r2": lambda t, y, p, w: reference.r2_score(y, p, sample_weight=w),
    "median_absolute_error": lambda t, y, p, w: reference.median_absolute_error(y, p, sample_weight=w),
    "mape": lambda t, y, p, w: reference.mean_absolute_percentage_error(y, p, sample_weight=w),
    "pinball": lambda t, y, p, w: np.mean(
        [reference.mean_pinball_loss(y, p[:, i], alpha=a, sample_weight=w) for i, a in enumerate((0.1, 0.5, 0.9))]
    ),
}
CASES = [
    (name, kind)
    for name in plugins.names("metrics")
    for kind in metric(name).kinds
    if name in REFERENCE and kind in TASKS
]


def test_every_built_in_metric_is_compared() -> None:
    """No built-in metric escapes the comparison with scikit-learn."""
    own = {name for name in plugins.names("metrics") if plugins.origin("metrics", name) == "luban"}
    elsewhere = {"f1_micro", "f1_samples", "hamming_loss", "mrr", "recall_at_3", "recall_at_10"}  # ..._metrics_of_lists
    elsewhere |= {"entity_f1", "entity_precision", "entity_recall"}
    assert own == set(REFERENCE) | elsewhere


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("ties", [False, True])
def test_equals_scikit_learn(name: str, kind: str, ties: bool) -> None:
    """Same value as scikit-learn, with and without weights, with and without tied predictions."""
    task = TASKS[kind]
    for seed, rows in ((0, 500), (1, 37), (2, 8)):
        target, prediction = example(task, rows, seed, ties=ties)
        weight = np.random.default_rng(seed).integers(1, 4, rows).astype(float)
        for one in (None, weight):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = REFERENCE[name](task, target, prediction, one)
            assert metric(name)(task, target, prediction, one) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_weighting_is_repetition(name: str, kind: str) -> None:
    """A bootstrap draw as counts of rows scores like the drawn rows themselves: the vectorised path is the metric."""
    task = TASKS[kind]
    target, prediction = example(task, 60, 3)
    generator = np.random.default_rng(4)
    draws = generator.integers(0, 60, (20, 60))
    counts = np.stack([np.bincount(one, minlength=60) for one in draws]).astype(float)
    found = metric(name)
    assert isinstance(found, Resampled)
    scores = found.resampled(task, target, prediction, counts)
    for one, score in zip(draws, scores, strict=True):
        assert score == pytest.approx(found(task, target[one], prediction[one]), rel=1e-9, abs=1e-12)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])), min_size=2, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_roc_auc_counts_pairs(rows: list[tuple[bool, float]]) -> None:
    """The area is the share of (positive, negative) pairs in the right order, ties half; NaN without a pair."""
    target = np.array([int(one) for one, _ in rows])
    score = np.array([value for _, value in rows])
    pairs = [float(a > b) + 0.5 * float(a == b) for a in score[target == 1] for b in score[target == 0]]
    found = metric("roc_auc")(BINARY, target, np.stack([1 - score, score], axis=1))
    assert found == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found)


def test_a_class_without_rows_is_left_out() -> None:
    """A class that the sample lacks changes no score to NaN and raises nothing."""
    target, prediction = example(MULTICLASS, 200, 5)
    kept = target != 2
    for name in ("roc_auc", "average_precision", "log_loss", "balanced_accuracy", "f1_macro"):
        assert np.isfinite(metric(name)(MULTICLASS, target[kept], prediction[kept]))


def test_losses_fall_as_predictions_improve() -> None:
    """Every metric, as a loss, is lower for the truth than for noise."""
    for task in TASKS.values():
        target, noisy = example(task, 300, 6)
        if task.classes:
            truth = np.full(noisy.shape, 1e-9)
            truth[np.arange(300), target] = 1 - 1e-9 * (len(task.classes) - 1)
        else:
            truth = np.repeat(target[:, None], 3, axis=1) if task.quantiles else target
        for one in fitting(task):
            assert loss(one.name, task, target, truth) < loss(one.name, task, target, noisy)


def test_an_undefined_score_is_an_infinite_loss() -> None:
    """One class alone has no ROC curve: a search must not mistake that for success."""
    assert loss("roc_auc", BINARY, np.ones(5, int), np.full((5, 2), 0.5)) == np.inf


def test_constant_targets() -> None:
    """r2 of a constant target is 1 where it is met and 0 where not, even for tiny numbers; as in scikit-learn."""
    same = np.full(7, 1e-9)
    r2 = metric("r2")
    assert r2(REGRESSION, same, same) == 1.0
    assert r2(REGRESSION, same, same + 1e-10) == 0.0
    small = np.array([1.0, 2.0, 3.0]) * 1e-12
    assert r2(REGRESSION, small, small[::-1].copy()) == pytest.approx(-3)


def test_errors_name_what_to_do() -> None:
    """Unknown names bring the nearest, foreign names ours, and misfits the fitting ones."""
    with pytest.raises(NotFound, match="roc_auc"):
        metric("roc_acu")
    with pytest.raises(NotFound, match="Here it is named mae"):
        metric("neg_mean_absolute_error")
    with pytest.raises(NotFound, match="Here it is named r2"):
        metric("r2_score")
    with pytest.raises(InputError, match="rmse"):
        metric("roc_auc", REGRESSION)
    with pytest.raises(InputError, match="shape"):
        metric("rmse")(REGRESSION, np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(InputError, match="not finite"):
        metric("rmse")(REGRESSION, np.zeros(3), np.array([0, np.nan, 1]))
    with pytest.raises(InputError, match="no row"):
        metric("rmse")(REGRESSION, np.zeros(0), np.zeros(0))


def test_metrics_load_no_heavy_library() -> None:
    """Scoring inside a search must not pay for importing scikit-learn, scipy or pandas."""
    code = (
        "import sys; from luban.evaluation.metrics import metric; metric('roc_auc');"
        "print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
