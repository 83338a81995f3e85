"""From which probability on is decided: what a person asks for, a number or the metric that chooses it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from luban.core.task import Task
    from luban.search.result import StudyResult

TAG = "threshold"
"""Tag of a version whose threshold a person asked for, as they wrote it; updates choose theirs by it."""

_CHOSEN = ("binary", "multilabel")
_GIVEN = (*_CHOSEN, "matching")
_JOIN = "ensemble"


def asked_for(threshold: float | str) -> float | str:
    """Return the number that was asked for, or the name of a metric.

    Raises
    ------
    InputError
        If it is neither a number from 0 to 1 nor the name of a metric that judges decisions.
    """
    try:
        number = float(threshold)
    except ValueError:
        text = str(threshold).strip()
        if text not in names():
            raise InputError(
                "a threshold is a number from 0 to 1, or the metric that chooses it",
                seen=repr(threshold)[:100],
                remedy=f"Metrics that a threshold changes: {', '.join(names())}.",
            ) from None
        return text
    if not 0.0 <= number <= 1.0:
        raise InputError("a threshold must lie between 0 and 1", seen=f"{threshold}")
    return number


def usual(task: Task) -> float:
    """Return from which probability on a model decides that has no threshold: an answer is then always given."""
    return 0.0 if task.kind == "matching" else 0.5


def in_force(task: Task, threshold: float | None) -> float | None:
    """Return from which probability on a model decides; None where its task has no threshold."""
    if task.kind not in _GIVEN:
        return None
    return usual(task) if threshold is None else threshold


def names(task: Task | None = None) -> tuple[str, ...]:
    """Return the metrics that a threshold changes, of one kind of task or of any."""
    from luban.core import plugins
    from luban.evaluation.metrics import metric
    from luban.evaluation.metrics.score import judges_decisions

    found = {name: metric(name) for name in plugins.names("metrics")}
    kinds = set(_CHOSEN) if task is None else set(_CHOSEN) & {task.kind}
    return tuple(name for name, one in found.items() if judges_decisions(one) and kinds & set(one.kinds))


def check(task: Task, asked: float | str) -> None:
    """Raise `InputError` where a task has no threshold, or the metric cannot choose it."""
    if task.kind not in _GIVEN:
        why = "the likeliest class is predicted" if task.kind == "multiclass" else "no probability is compared with one"
        raise InputError(
            f"a {task.kind} task has no decision threshold: {why}",
            remedy=f"Tasks that have one: {', '.join(_GIVEN)}.",
        )
    if isinstance(asked, float):
        return
    if task.kind not in _CHOSEN:
        raise InputError(f"no metric chooses the threshold of a {task.kind} task", remedy="Give a number from 0 to 1.")
    from luban.evaluation.metrics import metric

    metric(asked, task)  # told here where it is none of this kind of task


def threshold_for(task: Task, asked: float | str, target: np.ndarray, prediction: np.ndarray, *, seed: int) -> float:
    """Return the threshold: the number itself, or where the metric is best on rows that were not learnt from."""
    if isinstance(asked, float):
        return asked
    from luban.evaluation.metrics import metric
    from luban.evaluation.threshold import best_threshold

    return float(best_threshold(metric(asked, task), task, target, prediction, seed=seed))


def score_at(name: str, task: Task, target: np.ndarray, prediction: np.ndarray, threshold: float | None) -> float:
    """Return a metric of what is decided at a threshold; of one that judges no decisions it is the same at all."""
    from luban.evaluation.bootstrap import as_judged
    from luban.evaluation.metrics import metric

    one = metric(name, task)
    return float(one(task, target, as_judged(one, task, prediction, threshold)))


def decided(result: StudyResult, task: Task, asked: float | str | None) -> StudyResult:
    """Return the result of a study with the threshold that was asked for, and its score as the model decides."""
    if asked is not None:
        seed = result.recipe.seed
        threshold = threshold_for(task, asked, result.target, result.predictions, seed=seed)
        steps = tuple(
            replace(step, parameters={**step.parameters, "threshold": threshold}) if step.component == _JOIN else step
            for step in result.recipe.steps
        )
        result = replace(
            result,
            composite=replace(result.composite, threshold=threshold),
            recipe=replace(result.recipe, steps=steps),
        )
    threshold_now: Any = result.composite.threshold
    if threshold_now is None:
        return result
    return replace(result, score=score_at(task.metric, task, result.target, result.predictions, threshold_now))
