"""What the evaluation of labels of words shows: entities by type, confusions of labels, words that were not read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.data.shares import percent
from luban.evaluation import classes
from luban.evaluation.metrics import decision
from luban.evaluation.metrics.tokens import OUTSIDE, Words, entities_by_row, words
from luban.evaluation.words import significant

if TYPE_CHECKING:
    from luban.core.task import Task


def findings(
    task: Task, target: np.ndarray, prediction: np.ndarray, seed: int, figures: dict[str, Any]
) -> list[Finding]:
    """Return the findings on words and entities, and add their figures."""
    found = words(target, prediction)
    read = found.decided >= 0
    figures["words"], figures["words_not_read"] = len(read), int((~read).sum())
    shown = [_labels(task, found)]
    if OUTSIDE in task.classes:
        shown.insert(0, _entities(task, target, prediction))
    if not read.all():
        shown.append(
            Finding(
                what=f"{int((~read).sum()):,} of {len(read):,} words were not read, as their texts are longer than the "
                "model takes; they count as wrong",
                verdict="warn",
                value=float((~read).mean()),
                remedy="Cut long texts into sentences, or fit with a larger max_length.",
            )
        )
    if read.any():
        told, figures["calibration"] = classes.calibrated(
            found.prediction[read].max(axis=1),
            (found.decided == found.target)[read],
            "of the most probable label",
            seed,
        )
        shown.append(told)
    return shown


def _labels(task: Task, found: Words) -> Finding:
    read = found.decided >= 0
    matrix = decision.confusion(found.target[read], found.decided[read], len(task.classes))[0]
    right = int(np.trace(matrix))
    return Finding(
        what=f"{right:,} of {len(found.target):,} words have the right label ({percent(right / len(found.target))})"
        if len(found.target)
        else "No word has a label",
        evidence=classes.confusions(matrix, [str(label) for label in task.classes], "words"),
    )


def _entities(task: Task, target: np.ndarray, prediction: np.ndarray) -> Finding:
    due: Counter[str] = Counter()
    given: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for true, said in entities_by_row(task, target, prediction):
        due.update(kind for kind, _, _ in true)
        given.update(kind for kind, _, _ in said)
        hits.update(kind for kind, _, _ in set(true) & set(said))
    kinds = sorted(set(due) | set(given))
    return Finding(
        what=f"{hits.total():,} of {due.total():,} entities are found whole, and {given.total() - hits.total():,} are "
        "said where there is none like them",
        evidence=(
            Evidence(
                title="Each type of entity",
                columns=("type", "entities", "said", "precision", "recall", "f1"),
                rows=tuple(
                    (
                        kind,
                        due[kind],
                        given[kind],
                        significant(hits[kind] / max(1, given[kind])),
                        significant(hits[kind] / max(1, due[kind])),
                        significant(2 * hits[kind] / max(1, due[kind] + given[kind])),
                    )
                    for kind in kinds
                ),
            ),
        ),
    )
