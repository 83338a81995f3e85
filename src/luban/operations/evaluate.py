"""Evaluate: how good a model is on rows with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.operation import operation
from luban.core.report import Report
from luban.core.schema import Schema

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The metrics of a model on given rows, and the whole report."""

    model: str
    rows: int
    metrics: Mapping[str, float]
    report: Report


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
    from luban.data.conform import conform
    from luban.evaluation.evaluate import evaluate as judge
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
    return Evaluated(model=version.reference, rows=len(target), metrics=report.figures["metrics"], report=report)
