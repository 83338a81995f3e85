"""What the evaluation of class probabilities shows: curves, confusion, classes, calibration, threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation.calibration import calibration_error_by_chance, expected_calibration_error, reliability
from luban.evaluation.metrics import decision
from luban.evaluation.metrics.ranking import tally
from luban.evaluation.threshold import best_threshold, confusion_by_threshold
from luban.evaluation.words import number, significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Task

_POINTS = 200
_CURVES = 8
_LARGEST_MATRIX = 20
# A gap smaller than this between said and observed share changes no decision, however many rows prove it.
_NEGLIGIBLE = 0.05
# A gap must be this many times the one that honest probabilities may show by chance.
_BEYOND_CHANCE = 1.5
# Thresholds that are nearer to each other decide alike.
_NEAR = 0.01
_OTHERWISE = (
    "A version that decides otherwise: luban models threshold MODEL f1, or another metric, or a number from 0 to 1."
)


def ranking(task: Task, target: np.ndarray, prediction: np.ndarray) -> Finding:
    """Return the ROC and the precision-recall curve: of the positive class, or of each class against the rest."""
    codes = [1] if task.kind == "binary" else np.argsort(-np.bincount(target, minlength=len(task.classes)))[:_CURVES]
    codes = [int(code) for code in sorted(codes) if 0 < (target == code).sum() < len(target)]
    grid = np.linspace(0, 1, _POINTS // 2 + 1)
    rates, precisions = [], []
    for code in codes:
        _, above, below = tally(target == code, prediction[:, code], np.ones((1, len(target))))
        hits, alarms = np.cumsum(above[0, ::-1]), np.cumsum(below[0, ::-1])
        recall, fall_out = hits / hits[-1], alarms / alarms[-1]
        rates.append(np.interp(grid, np.concatenate(([0.0], fall_out)), np.concatenate(([0.0], recall))))
        first = np.searchsorted(recall, np.maximum(grid, recall[0]))
        precisions.append((hits / (hits + alarms))[np.minimum(first, len(hits) - 1)])
    names = tuple(str(task.classes[code]) for code in codes)
    left = len(task.classes) - len(codes) if task.kind == "multiclass" else 0
    return Finding(
        what="How well the rows are ranked" + (f" (the {len(codes)} largest classes)" if left else ""),
        evidence=(
            Evidence(
                title="ROC curve",
                columns=("false positive rate", *names, "chance"),
                rows=_rows(grid, *rates, grid),
                drawing="line",
                x="false positive rate",
                y="true positive rate",
            ),
            Evidence(
                title="Precision and recall",
                columns=("recall", *names),
                rows=_rows(grid, *precisions),
                drawing="line",
                x="recall",
                y="precision",
            ),
        ),
    )


def decisions(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Finding:
    """Return the confusion matrix (or the most frequent confusions of many classes) and the figures of each class."""
    matrix = decision.confusion(target, decision.decide(prediction, threshold), len(task.classes))[0]
    rule = f"from a probability of {number(threshold)} on" if threshold is not None else "for the most probable class"
    right = int(np.trace(matrix))
    return Finding(
        what=f"Deciding {rule}, {right:,} of {len(target):,} rows are right",
        evidence=confusions(matrix, [str(label) for label in task.classes], "rows"),
    )


def confusions(matrix: np.ndarray, names: Sequence[str], counted: str) -> tuple[Evidence, Evidence]:
    """Return a confusion matrix (or the most frequent confusions of many classes), and the figures of each class.

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape (K, K), true classes along the rows.
    counted : str
        What is counted: rows, or words.
    """
    true, decided, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    recall, precision = hits / np.maximum(true, 1), hits / np.maximum(decided, 1)
    f1 = decision.f1_by_class(matrix[None])[0]
    by_class = Evidence(
        title="Each class",
        columns=("class", counted, "decided", "precision", "recall", "f1"),
        rows=tuple(
            (
                names[code],
                int(true[code]),
                int(decided[code]),
                significant(precision[code]),
                significant(recall[code]),
                significant(f1[code]),
            )
            for code in range(len(names))
        ),
    )
    if len(names) <= _LARGEST_MATRIX:
        shown = Evidence(
            title="Confusion matrix",
            columns=("true class", *names),
            rows=tuple((name, *(int(count) for count in row)) for name, row in zip(names, matrix, strict=True)),
            drawing="heatmap",
            x="decided class",
            y="true class",
        )
    else:
        wrong = matrix - np.diag(hits)
        worst = [divmod(int(cell), len(names)) for cell in np.argsort(-wrong, axis=None)[:_LARGEST_MATRIX]]
        shown = Evidence(
            title="Most frequent confusions",
            columns=("true class", "decided class", counted),
            rows=tuple(
                (names[row], names[column], int(wrong[row, column])) for row, column in worst if wrong[row, column]
            ),
        )
    return shown, by_class


def calibration(task: Task, target: np.ndarray, prediction: np.ndarray, seed: int) -> tuple[Finding, dict[str, Any]]:
    """Return whether probabilities come true as often as they say; for several classes those of the decided class."""
    if task.kind == "binary":
        said, came, event = prediction[:, 1], target == 1, f"of {task.classes[1]}"
    else:
        code = prediction.argmax(axis=1)
        said, came, event = prediction.max(axis=1), target == code, "of the most probable class"
    return calibrated(said, came, event, seed)


def calibrated(said: np.ndarray, came: np.ndarray, event: str, seed: int) -> tuple[Finding, dict[str, Any]]:
    """Return whether what is said of an event comes true as often.

    Parameters
    ----------
    said : numpy.ndarray
        Probabilities, shape (n,).
    came : numpy.ndarray
        Whether it came true, shape (n,).
    event : str
        In words, such as ``of the most probable class``.
    """
    error = expected_calibration_error(said, came)
    chance = calibration_error_by_chance(said, seed=seed)
    limit = max(_BEYOND_CHANCE * chance, _NEGLIGIBLE)
    honest = error <= limit
    bins = reliability(said, came)
    counts, edges = np.histogram(said, bins=20, range=(0.0, 1.0))
    split = [np.histogram(said[came == one], bins=edges)[0] for one in (False, True)]
    finding = Finding(
        what=(
            f"Probabilities {event} come true about as often as they say (mean gap {percent(error)})"
            if honest
            else f"Probabilities {event} are off by {percent(error)} on average: where 50 % is said, the truth may "
            f"well be {percent(max(0.0, 0.5 - error))} or {percent(min(1.0, 0.5 + error))}"
        ),
        verdict="pass" if honest else "warn",
        value=error,
        threshold=limit,
        remedy=(
            ""
            if honest
            else "Use the probabilities to put rows in order rather than to count on them; more rows to learn from, as "
            "like as possible to those judged here, make them more honest."
        ),
        evidence=(
            Evidence(
                title="Reliability",
                columns=("probability", "observed", "perfect"),
                rows=_rows(bins[0], bins[1], bins[0]),
                drawing="line",
                x=f"probability {event}",
                y="observed share",
            ),
            Evidence(
                title="Predicted probabilities",
                columns=("from", "to", "came true", "did not"),
                rows=tuple(
                    (significant(edges[i]), significant(edges[i + 1]), int(split[1][i]), int(split[0][i]))
                    for i in range(len(counts))
                ),
                drawing="histogram",
                x=f"probability {event}",
                y="rows",
            ),
        ),
    )
    return finding, {"expected_calibration_error": error, "by_chance": chance}


def thresholds(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> Finding:
    """Return how the decisions of a binary task change with the threshold, and where F1 is highest."""
    at, matrices = confusion_by_threshold(target, prediction[:, 1])
    grid = np.linspace(0, 1, 101)
    grid = grid[grid <= prediction[:, 1].max()]  # beyond it no row is decided positive, and precision means nothing
    shown = matrices[np.searchsorted(at, grid).clip(max=len(at) - 1)]
    scores = (decision.precision, decision.recall, decision.f1, decision.balanced_accuracy)
    now = 0.5 if threshold is None else threshold
    best = best_threshold(decision.f1, task, target, prediction)
    what = f"Decisions are taken from a probability of {number(now)} on"
    if abs(best - now) > _NEAR:
        what += f"; f1 would be highest from {number(best)} on"
    return Finding(
        what=what,
        value=now,
        remedy=_OTHERWISE if abs(best - now) > _NEAR else "",
        evidence=(
            Evidence(
                title="Decision threshold",
                columns=("threshold", *(score.name for score in scores)),
                rows=_rows(grid, *(score.from_confusion(shown) for score in scores)),
                drawing="line",
                x="threshold",
                y="score",
            ),
        ),
    )


def _rows(*columns: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(significant(value) for value in row) for row in zip(*columns, strict=True))
