"""Compress: a smaller and quicker version of a model, only where it stays good."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, LubanError
from luban.core.operation import operation
from luban.core.progress import Progress, tell
from luban.core.report import Finding, Report

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from luban.core.model import ModelVersion
    from luban.store import Workspace

MOST_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """A new version of a model, and what it is worth beside the one it was made of.

    Attributes
    ----------
    model : str
        The new version.
    source : str
        The version it was made of.
    form : str
        How it was compressed.
    loss : float
        How much worse the metric became, in its own units where more is better, else as a share of it.
    size, speed, same : float
        Size of the graph and rows a second as multiples of the source's; share of equal labels (of predicted numbers
        the correlation).
    """

    model: str
    source: str
    form: str
    metric: str
    loss: float
    size: float
    speed: float
    same: float
    rows: int
    report: Report


@operation(permission="models:write", long=True)
def compress(
    workspace: Workspace,
    model: str,
    *,
    int8: bool = True,
    max_loss: float = 0.01,
    min_same: float = 0.99,
    data: Any = None,
    static: bool = False,
    seed: int = 0,
) -> Compressed:
    """Make a smaller, quicker version of a registered model, if what it loses stays within bounds.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    int8
        Write weights and compute matrix products in 8 bits.
    max_loss
        How much of the model's metric may be lost: in its units where more is better, else as a share of it. Where
        every form loses more no version is made.
    min_same
        The least share of labels that must stay the same, where the model predicts labels; of no version otherwise.
    data
        Rows with true values to measure on, at best ones that it has not learnt from; by default those it learnt from.
    static
        Fix the scales of activations on real rows; an answer then does not depend on the rows that are asked with it.
    seed
        Seed of the choice of rows.
    """
    from luban.core.serial import to_json
    from luban.export.compress.press import press
    from luban.export.onnx.build import build
    from luban.learners import artifact
    from luban.operations.loading import GRAPH, fitted
    from luban.operations.origin import Origin
    from luban.operations.registering import register, signer

    if not int8:
        raise InputError("nothing is asked for", remedy="Say how to compress: --int8 (int8=True in Python).")
    if not (math.isfinite(max_loss) and max_loss >= 0):
        raise InputError("the largest loss must be a number from 0 on", seen=f"max_loss={max_loss}")
    if not 0 <= min_same <= 1:
        raise InputError("the least share of equal labels is from 0 to 1", seen=f"min_same={min_same}")
    version = workspace.models.get(model)
    origin, sign = Origin(), signer(workspace)
    tell(Progress(stage="compress", message=f"reading {version.reference}"))
    ready = fitted(workspace, version.reference)
    table, target = _rows(workspace, version, data, seed)
    learnt, _ = _rows(workspace, version, None, seed + 1) if version.dataset is not None else (table, target)
    graph = artifact.extra(workspace.blobs, ready, GRAPH)
    if graph is None:
        tell(Progress(stage="compress", message="writing the ONNX graph"))
        graph = build(ready)
    request = {
        "model": version.reference,
        "int8": int8,
        "max_loss": max_loss,
        "min_same": min_same,
        "static": static,
        "seed": seed,
    }
    run = workspace.runs.start("compress", request, environment=origin.of_run())
    try:
        pressed = press(
            ready,
            graph,
            table,
            target,
            calibration=learnt,
            most=max_loss,
            least=min_same,
            static=static,
            source=version.reference,
        )
    except KeyboardInterrupt:
        workspace.runs.finish(run.id, "interrupted")
        raise
    except LubanError as error:
        workspace.runs.finish(run.id, "failed", error=error.to_dict())
        raise
    report = pressed.report if data is not None else _said(pressed.report)
    figures = report.figures
    digest = artifact.write(workspace.blobs, pressed.fitted, extra={GRAPH: pressed.graph}, parity=0.0)
    scores = {version.task.metric: figures["score"]["after"]}
    made = register(
        workspace,
        origin,
        sign=sign,
        name=version.name,
        artifact=digest,
        signature=version.signature,
        task=version.task,
        recipe=version.recipe,
        dataset=version.dataset,
        run=run.id,
        reports={report.check: workspace.blobs.put_json(to_json(report))},
        scores=scores,
        tags={**version.tags, "source": version.reference, "form": f"int8, {pressed.form}"},
    )
    workspace.runs.set_tag(run.id, "model", made.reference)
    workspace.runs.finish(run.id, "finished", scores=scores)
    return Compressed(
        model=made.reference,
        source=version.reference,
        form=f"int8, {pressed.form}",
        metric=version.task.metric,
        loss=pressed.loss,
        size=figures["bytes"]["after"] / figures["bytes"]["before"],
        speed=figures["rows_per_second"]["after"] / figures["rows_per_second"]["before"],
        same=figures["same"],
        rows=figures["rows"],
        report=report,
    )


def _said(report: Report) -> Report:
    """Return the report with a word on the rows, which the model has learnt from."""
    known = Finding(
        what="It was measured on rows that the model has learnt from: they show how far two forms of one model differ, "
        "not how good either is",
        verdict="info",
        remedy="Rows that it has not learnt from show both: --data FILE.",
    )
    return replace(report, findings=(*report.findings, known))


def _rows(workspace: Workspace, version: ModelVersion, data: Any, seed: int) -> tuple[pa.Table, np.ndarray]:
    """Return canonical rows, at most 2,000 chosen at random, and their true values."""
    import numpy as np

    from luban.data.conform import conform
    from luban.operations.reading import labelled, read_table

    if data is None and version.dataset is None:
        raise InputError(
            f"{version.reference} does not know the rows it learnt from", remedy="Give some with true values: --data."
        )
    table, target = labelled(version.task, read_table(workspace, version.dataset if data is None else data))
    if table.num_rows > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(seed).permutation(table.num_rows)[:MOST_ROWS])
        table, target = table.take(chosen), target[chosen]
    return conform(table, version.signature.inputs).table, target
