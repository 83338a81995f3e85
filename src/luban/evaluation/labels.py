"""What the evaluation of multilabel predictions shows: each label, the threshold, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation import classes
from luban.evaluation.metrics.multilabel import HALF, said
from luban.evaluation.metrics.ranking import average_precision
from luban.evaluation.metrics.score import share
from luban.evaluation.words import number, significant

if TYPE_CHECKING:
    from luban.core.task import Task


def findings(
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    threshold: float | None,
    seed: int,
    figures: dict[str, Any],
) -> list[Finding]:
    """Return the findings on labels, and add their figures."""
    now = HALF if threshold is None else threshold
    figures["threshold"] = now
    told, figures["calibration"] = classes.calibrated(prediction.ravel(), target.ravel() > 0, "of the labels", seed)
    return [_each(task, target, prediction, now), told, _thresholds(target, prediction, now)]


def _each(task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float) -> Finding:
    decided = said(prediction, threshold)
    hits, due, given = (one.sum(axis=0) for one in (decided * target, target, decided))
    ones = np.ones((1, len(target)))
    rows = []
    for code, label in enumerate(task.classes):
        area = average_precision.function(task, _alone(target, code), prediction, ones)[0]
        rows.append(
            (
                str(label),
                int(due[code]),
                int(given[code]),
                significant(hits[code] / max(1.0, given[code])),
                significant(hits[code] / max(1.0, due[code])),
                significant(2 * hits[code] / max(1.0, due[code] + given[code])),
                None if np.isnan(area) else significant(area),
            )
        )
    right = int((decided == target).all(axis=1).sum())
    counts = np.stack([target.sum(axis=1), decided.sum(axis=1)]).astype(np.int64)
    most = int(counts.max(initial=0))
    return Finding(
        what=f"Deciding from a probability of {number(threshold)} on, {right:,} of {len(target):,} rows have exactly "
        "their labels",
        evidence=(
            Evidence(
                title="Each label",
                columns=("label", "rows", "decided", "precision", "recall", "f1", "average precision"),
                rows=tuple(rows),
            ),
            Evidence(
                title="Labels a row",
                columns=("labels", "true", "decided"),
                rows=tuple((str(k), *(int((one == k).sum()) for one in counts)) for k in range(most + 1)),
                drawing="bar",
                x="labels a row",
                y="rows",
            ),
        ),
    )


def _alone(target: np.ndarray, code: int) -> np.ndarray:
    """Return the target with one label only, so that the mean over the labels present is that label's."""
    alone = np.zeros_like(target)
    alone[:, code] = target[:, code]
    return alone


def _thresholds(target: np.ndarray, prediction: np.ndarray, now: float) -> Finding:
    grid = np.linspace(0.0, 1.0, 51)
    hits, given = (
        np.array([one.sum() for one in made])
        for made in (
            [said(prediction, at) * target for at in grid],
            [said(prediction, at) for at in grid],
        )
    )
    due = np.full(len(grid), target.sum())
    scores = [share(hits, given, 0.0), share(hits, due, 0.0), share(2 * hits, due + given, 0.0)]
    rows = zip(grid, *scores, strict=True)
    return Finding(
        what=f"Labels are given from a probability of {number(now)} on",
        value=now,
        evidence=(
            Evidence(
                title="Decision threshold",
                columns=("threshold", "precision", "recall", "f1_micro"),
                rows=tuple(tuple(significant(value) for value in row) for row in rows),
                drawing="line",
                x="threshold",
                y="score over all labels",
            ),
        ),
    )
