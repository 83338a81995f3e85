"""Evaluate: how good a model is on rows with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation
from luban.core.report import Finding, Report, worst
from luban.core.schema import Schema

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The metrics of a model on given rows, and the whole report.

    Attributes
    ----------
    learnt : int
        How many of the rows are known to be among those that the model learnt from; the metrics flatter it there.
    """

    model: str
    rows: int
    metrics: Mapping[str, float]
    report: Report
    learnt: int = 0


@operation(permission="models:read")
def evaluate(workspace: Workspace, model: str, data: Any, *, bootstrap: int = 200, seed: int = 0) -> Evaluated:
    """Evaluate a registered model on rows with known answers.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    data
        The rows with their true values: a file, a data set of the workspace, or an object in memory.
    bootstrap
        How many bootstrap samples the confidence intervals rest on.
    seed
        Seed of the bootstrap.
    """
    from luban.data.blank import blank, told
    from luban.data.conform import conform
    from luban.evaluation.evaluate import evaluate as judge
    from luban.operations.familiar import familiar
    from luban.operations.loading import runtime
    from luban.operations.reading import labelled, read_table

    version = workspace.models.get(model)
    task = version.task
    ready = runtime(workspace, model)
    table, target = labelled(task, read_table(workspace, data), version.signature.inputs)
    inputs = conform(table, version.signature.inputs).table
    report = judge(
        task,
        target,
        ready.values(inputs),
        table=inputs,
        schema=Schema(columns=version.signature.inputs),
        subject=version.reference,
        bootstrap=bootstrap,
        seed=seed,
        threshold=ready.threshold,
    )
    columns = version.signature.inputs
    empty = blank(inputs, columns)
    if empty:
        finding = Finding(what=told(empty, inputs.num_rows, columns).rstrip("."), value=sum(empty.values()))
        report = replace(report, findings=(*report.findings, finding))
    seen = familiar(workspace, version, inputs, target)
    if seen is not None:
        findings = (seen.finding, *report.findings)
        report = replace(report, findings=findings, verdict=worst(findings))
    return Evaluated(
        model=version.reference,
        rows=len(target),
        metrics=report.figures["metrics"],
        report=report,
        learnt=0 if seen is None else seen.rows,
    )
