"""Explain: why a model predicts what it predicts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.budget import Duration
from luban.core.operation import operation
from luban.core.report import Report

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Explained:
    """The explanation of a model on given rows."""

    model: str
    rows: int
    report: Report


@operation(permission="models:read", long=True)
def explain(
    workspace: Workspace,
    model: str,
    data: Any = None,
    *,
    rows: tuple[int, ...] = (),
    budget: Duration = Duration(30),  # noqa: B008 - a constant
    seed: int = 0,
) -> Explained:
    """Explain a registered model: what matters, in which direction, and why for single rows.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    data
        Rows to explain it on; by default those that it learnt from. With true values, importance is measured by the
        loss of quality, without them by the change of predictions.
    rows
        Numbers of rows (from 0) whose predictions are explained one by one.
    budget
        Time to take at most.
    seed
        Seed of sampling and permutation.
    """
    from luban.operations.loading import fitted
    from luban.operations.reading import labelled, read_table
    from luban.trust.explain.explain import explain as examine

    began = time.monotonic()
    version = workspace.models.get(model)
    ready = fitted(workspace, model)
    table = read_table(workspace, data if data is not None else version.dataset)
    target = None
    if version.task.target in table.column_names:
        table, target = labelled(version.task, table)
    report = examine(
        ready, table, target, rows=rows, budget=float(budget), began=began, seed=seed, subject=version.reference
    )
    return Explained(model=version.reference, rows=table.num_rows, report=report)
