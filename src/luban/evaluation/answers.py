"""What the evaluation of matching shows: how high the right answer ranks, what rejecting costs, what is confused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation import classes
from luban.evaluation.metrics.matching import ranks
from luban.evaluation.words import number, significant

if TYPE_CHECKING:
    from luban.core.task import Task

_SHOWN = 20
_LETTERS = 80


def findings(
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    threshold: float | None,
    seed: int,
    figures: dict[str, Any],
) -> list[Finding]:
    """Return the findings on answers, and add their figures."""
    rejecting, figures["rejecting"] = _rejecting(target, prediction, threshold)
    said, right = prediction.max(axis=1), prediction.argmax(axis=1) == target
    told, figures["calibration"] = classes.calibrated(said, right, "of the best answer", seed)
    return [_ranked(task, target, prediction), rejecting, told]


def _ranked(task: Task, target: np.ndarray, prediction: np.ndarray) -> Finding:
    places = ranks(target, prediction)
    heights = [k for k in (1, 2, 3, 5, 10, 20, 50, 100) if k <= len(task.classes)]
    decided = prediction.argmax(axis=1)
    wrong = Counter((int(a), int(b)) for a, b in zip(target, decided, strict=True) if a != b)
    return Finding(
        what=f"The right answer of {len(task.classes):,} is the first one for {percent(float((places == 1).mean()))} "
        f"of the rows, and among the first three for {percent(float((places <= 3).mean()))}",
        evidence=(
            Evidence(
                title="How high the right answer ranks",
                columns=("first", "recall"),
                rows=tuple((k, significant((places <= k).mean())) for k in heights),
                drawing="line",
                x="answers looked at",
                y="share of the rows with the right one among them",
            ),
            Evidence(
                title="Most frequent confusions",
                columns=("right answer", "answer given", "rows"),
                rows=tuple(
                    (_short(task.classes[a]), _short(task.classes[b]), count)
                    for (a, b), count in wrong.most_common(_SHOWN)
                ),
            ),
        ),
    )


def _rejecting(
    target: np.ndarray, prediction: np.ndarray, threshold: float | None
) -> tuple[Finding, dict[str, float | None]]:
    said, right = prediction.max(axis=1), prediction.argmax(axis=1) == target
    grid = np.unique(np.quantile(said, np.linspace(0, 1, 41)))
    curve = [(at, float((said >= at).mean()), float(right[said >= at].mean())) for at in grid]
    now = 0.0 if threshold is None else threshold
    given = said >= now
    coverage = float(given.mean())
    accuracy = float(right[given].mean()) if given.any() else None
    words = "no row gets an answer" if accuracy is None else f"of those {percent(accuracy)} are right"
    return (
        Finding(
            what=f"Answers are given from a probability of {number(now)} on: to {percent(coverage)} of the rows, and "
            f"{words}",
            value=now,
            evidence=(
                Evidence(
                    title="What rejecting gains",
                    columns=("threshold", "answered", "right"),
                    rows=tuple(tuple(significant(value) for value in row) for row in curve),
                    drawing="line",
                    x="threshold",
                    y="share: of the rows answered, of the answers right",
                ),
            ),
        ),
        {"threshold": now, "coverage": coverage, "accuracy": accuracy},
    )


def _short(answer: object) -> str:
    text = str(answer)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}…"
