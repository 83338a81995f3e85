"""The evaluation report: how good predictions are, where they fail, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luban.core.report import Evidence, Finding, Report, worst
from luban.evaluation import answers, classes, labels, numbers, quantiles, tokens
from luban.evaluation.baseline import constant_prediction
from luban.evaluation.bootstrap import Bootstrap, Interval
from luban.evaluation.bootstrap import bootstrap as resampled_scores
from luban.evaluation.metrics import fitting, metric
from luban.evaluation.metrics.score import checked
from luban.evaluation.slices import slices
from luban.evaluation.words import number, within

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from luban.core.protocols import Metric
    from luban.core.schema import Schema
    from luban.core.task import Task


def evaluate(
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    *,
    table: pa.Table | None = None,
    schema: Schema | None = None,
    subject: str = "",
    bootstrap: int = 200,
    seed: int = 0,
    threshold: float | None = None,
    weight: np.ndarray | None = None,
) -> Report:
    """Judge predictions of rows that were not learnt from.

    Parameters
    ----------
    task : Task
    target : numpy.ndarray
        As `luban.core.protocols.Examples` has it: class codes (int64) or numbers, shape (n,).
    prediction : numpy.ndarray
        As `Model.predict` gives it.
    table, schema : pyarrow.Table, Schema, optional
        The inputs of the same rows and their columns; with them the slices where the model is worst are sought.
    subject : str
        What is judged, such as ``"adult/1"``.
    bootstrap : int
        Resamples behind each confidence interval.
    threshold : float, optional
        From which probability on a row of a binary task counts as positive, a multilabel row bears a label, or a text
        gets its answer; the most probable class without it.
    weight : numpy.ndarray, optional
        Shape (n,), non-negative; weighs the metrics.

    Returns
    -------
    Report
        Its figures: ``rows``, ``metrics`` (name to score), ``intervals`` (name to [low, high]),
        ``baseline`` (score of a constant prediction), and as the task has them ``calibration``, ``threshold``,
        ``coverage``, ``slices``.

    Raises
    ------
    InputError
        If shapes disagree or the metric does not fit the task.
    """
    checked(task, target, prediction)
    metric(task.metric, task)
    judged = fitting(task)
    own = judged[0]
    options: dict[str, Any] = {"weight": weight, "threshold": threshold, "count": bootstrap, "seed": seed}
    drawn = resampled_scores(judged, task, target, [prediction], **options)
    intervals = {one.name: drawn.interval(place) for place, one in enumerate(judged)}
    constant = constant_prediction(own, task, target)
    against = resampled_scores([own], task, target, [constant, prediction], **options)

    findings = [_headline(own, judged, intervals, against)]
    figures: dict[str, Any] = {
        "rows": len(target),
        "metrics": {name: interval.value for name, interval in intervals.items()},
        "intervals": {name: [interval.low, interval.high] for name, interval in intervals.items()},
        "baseline": {own.name: float(against.values[0, 0])},
    }
    if task.kind == "multilabel":
        findings += labels.findings(task, target, prediction, threshold, seed, figures)
    elif task.kind == "tokens":
        findings += tokens.findings(task, target, prediction, seed, figures)
    elif task.kind == "matching":
        findings += answers.findings(task, target, prediction, threshold, seed, figures)
    elif task.classes:
        findings += _of_classes(task, target, prediction, threshold, seed, figures)
    elif task.quantiles:
        covered, figures["coverage"] = quantiles.coverage(task, target, prediction)
        findings.append(covered)
    else:
        findings.append(numbers.residuals(target, prediction, task.target, seed))
    if table is not None and schema is not None:
        found, figures["slices"] = slices(task, own, target, prediction, table, schema, threshold=threshold, seed=seed)
        findings.append(found)
    return Report(
        check="evaluation",
        subject=subject,
        verdict=worst(tuple(findings)),
        findings=tuple(findings),
        figures=figures,
    )


def _headline(own: Metric, judged: Sequence[Metric], intervals: dict[str, Interval], against: Bootstrap) -> Finding:
    """Return the score that counts, held against predicting the same for every row, and all other scores."""
    gain = against.difference(0, 0, 1)
    sign = 1 if own.greater_is_better else -1
    proven = gain.value * sign > 0 and not gain.low <= 0 <= gain.high
    constant = float(against.values[0, 0])
    what = f"{own.name} is {within(intervals[own.name])}; predicting the same for every row scores {number(constant)}"
    return Finding(
        what=what if proven else f"{what}, and that is not clearly worse",
        verdict="pass" if proven else "warn",
        value=intervals[own.name].value,
        threshold=constant,
        remedy="" if proven else "Look for inputs that tell something about the target, or for more rows.",
        evidence=(
            Evidence(
                title="Scores",
                columns=("metric", "score", "low", "high", "better"),
                rows=tuple(
                    (
                        one.name,
                        intervals[one.name].value,
                        intervals[one.name].low,
                        intervals[one.name].high,
                        "higher" if one.greater_is_better else "lower",
                    )
                    for one in judged
                ),
            ),
        ),
    )


def _of_classes(
    task: Task,
    target: np.ndarray,
    prediction: np.ndarray,
    threshold: float | None,
    seed: int,
    figures: dict[str, Any],
) -> list[Finding]:
    """Return the findings on class probabilities, and add their figures."""
    calibrated, figures["calibration"] = classes.calibration(task, target, prediction, seed)
    findings = [
        classes.ranking(task, target, prediction),
        classes.decisions(task, target, prediction, threshold),
        calibrated,
    ]
    if task.kind == "binary":
        findings.append(classes.thresholds(task, target, prediction, threshold))
        figures["threshold"] = 0.5 if threshold is None else threshold
    return findings
