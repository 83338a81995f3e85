"""Curve: whether more rows would make a model better."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.budget import Duration, Effort
from luban.core.errors import InputError
from luban.core.operation import operation
from luban.core.report import Finding, Report, worst

if TYPE_CHECKING:
    from luban.search.growth import Growth
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The score of a model that learnt from so many rows: the mean, and the range, of its repeats."""

    rows: int
    score: float
    lowest: float
    highest: float
    repeats: int


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How the score of a model grows with the rows that it learns from."""

    model: str
    metric: str
    points: tuple[CurvePoint, ...]
    report: Report


@operation(permission="models:read", long=True)
def curve(
    workspace: Workspace,
    model: str,
    *,
    budget: Duration = Duration(60),  # noqa: B008 - a constant
    seed: int = 0,
) -> Curve:
    """Draw the learning curve of a registered model: whether more rows would make it better.

    Its members learn again from a part of the rows, from twice as many, and so on, and are judged by rows that are kept
    aside; groups stay together and time goes forward as in its fit. Nothing is registered.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    budget
        Time to take at most; the more, the more repeats.
    seed
        Seed of the parts and of the learners.
    """
    begun = time.monotonic()
    from luban.core.progress import Progress, asked_to_stop, tell
    from luban.evaluation.learning_curve import learning_curve
    from luban.evaluation.metrics import metric
    from luban.execution.resources import resources
    from luban.operations.fitting.prepare import prepare
    from luban.search.growth import grow

    version = workspace.models.get(model)
    if version.recipe is None or version.dataset is None or version.run is None:
        raise InputError(
            f"{version.reference} has no record of how it was fitted", remedy="Fit a model to draw the curve of."
        )
    request = workspace.runs.get(version.run).request
    prepared = prepare(workspace, version.dataset, name=version.name, target=version.task.target, options=request)
    deadline = begun + float(budget)

    def told(done: int, rows: int) -> None:
        message = f"{done} sizes learnt, the last from {rows:,} rows"
        tell(Progress(stage="curve", message=message, remaining=max(0.0, deadline - time.monotonic())))

    grown = grow(
        prepared.task,
        prepared.schema,
        prepared.table,
        prepared.target,
        version.recipe,
        groups=prepared.groups,
        moments=prepared.moments,
        effort=Effort(deadline=deadline, threads=resources().cpus, seed=seed),
        tell=told,
        stop=asked_to_stop,
    )
    finding = learning_curve(metric(version.task.metric, version.task), grown.sizes, grown.scores)
    points = tuple(
        CurvePoint(
            rows=size, score=sum(scores) / len(scores), lowest=min(scores), highest=max(scores), repeats=len(scores)
        )
        for size, scores in zip(grown.sizes, grown.scores, strict=True)
    )
    findings = (finding, *_cut_short(grown))
    report = Report(
        check="learning_curve",
        subject=version.reference,
        verdict=worst(findings),
        findings=findings,
        figures={"sizes": list(grown.sizes), "scores": [list(one) for one in grown.scores], "gain": finding.value},
    )
    return Curve(model=version.reference, metric=version.task.metric, points=points, report=report)


def _cut_short(grown: Growth) -> tuple[Finding, ...]:
    """Return that the time was over before the model had learnt from all rows that it could."""
    if grown.sizes[-1] == grown.most:
        return ()
    what = f"The time was over at {grown.sizes[-1]:,} of the {grown.most:,} rows that could be learnt from"
    return (Finding(what=what, verdict="warn", remedy="Give a longer budget."),)
