"""Compress: a smaller and quicker version of a model, only where it stays good."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, Unsupported
from luban.core.operation import operation
from luban.core.progress import Progress, tell
from luban.core.report import Finding, Report
from luban.operations.recorded import recorded

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
    learnt : bool
        Whether the rows that it was measured on are among those that the model learnt from.
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
    learnt: bool
    report: Report


@operation(permission="models:write", long=True, existing=True)
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
        Rows with true values to measure on, at best ones that it has not learnt from; by default those that its fit
        kept out, as it does for a network that is fitted once, and where there are none those that it learnt from.
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
    _check_source(workspace, version)
    origin, sign = Origin(), signer(workspace)
    tell(Progress(stage="compress", message=f"reading {version.reference}"))
    ready = fitted(workspace, version.reference)
    rows = _rows(workspace, version, data, seed)
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
    with recorded(workspace, run):
        pressed = press(
            ready,
            graph,
            rows.table,
            rows.target,
            calibration=rows.calibration,
            most=max_loss,
            least=min_same,
            static=static,
            source=version.reference,
        )
        report = pressed.report if data is not None else _said(pressed.report, learnt=rows.learnt)
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
        learnt=rows.learnt,
        report=report,
    )


def _check_source(workspace: Workspace, version: ModelVersion) -> None:
    """Raise `Unsupported` for what is itself a compressed form: bounds on what it loses once more say too little."""
    run = None if version.run is None else workspace.runs.get(version.run)
    if run is None or run.operation != "compress":
        return
    source = run.request["model"]
    raise Unsupported(
        f"{version.reference} is compressed already",
        seen=f"{version.tags.get('form', 'int8')}, made of {source}",
        remedy=f"Compress {source} with other bounds: --max-loss, --min-same, --static (max_loss, min_same, static in "
        "Python).",
    )


def _said(report: Report, *, learnt: bool) -> Report:
    """Return the report with a word on the rows: whether the model has learnt from them."""
    if not learnt:
        kept = Finding(what="It was measured on rows that the fit kept out: the model has not learnt from them")
        return replace(report, findings=(*report.findings, kept))
    known = Finding(
        what="It was measured on rows that the model has learnt from: they show how far two forms of one model differ, "
        "not how good either is",
        verdict="info",
        remedy="Rows that it has not learnt from show both: --data FILE.",
    )
    return replace(report, findings=(*report.findings, known))


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Canonical rows to measure on, with their true values, and others to choose scales on.

    Attributes
    ----------
    learnt : bool
        Whether the model has learnt from the rows to measure on; False where they were given and it is not known.
    """

    table: pa.Table
    target: np.ndarray
    calibration: pa.Table
    learnt: bool


def _rows(workspace: Workspace, version: ModelVersion, data: Any, seed: int) -> _Rows:
    """Return at most 2,000 rows of each kind, chosen at random."""
    import numpy as np

    from luban.data.conform import conform
    from luban.operations.fitting.kept_out import kept_out
    from luban.operations.reading import labelled, read_table

    def canonical(table: pa.Table, places: np.ndarray, draw: int) -> tuple[pa.Table, np.ndarray]:
        if len(places) > MOST_ROWS:
            places = np.sort(np.random.default_rng(draw).permutation(places)[:MOST_ROWS])
        return conform(table.take(places), version.signature.inputs).table, places

    if version.dataset is None:
        if data is None:
            raise InputError(
                f"{version.reference} does not know the rows it learnt from",
                remedy="Give some with true values: --data.",
            )
        given, values = labelled(version.task, read_table(workspace, data))
        table, places = canonical(given, np.arange(given.num_rows), seed)
        return _Rows(table=table, target=values[places], calibration=table, learnt=False)
    known, target = labelled(version.task, read_table(workspace, version.dataset))
    every = np.arange(known.num_rows)
    if data is not None:
        given, values = labelled(version.task, read_table(workspace, data))
        table, places = canonical(given, np.arange(given.num_rows), seed)
        return _Rows(table=table, target=values[places], calibration=canonical(known, every, seed + 1)[0], learnt=False)
    kept = kept_out(workspace, version, target)
    table, places = canonical(known, every if kept is None else kept, seed)
    others = every if kept is None else np.setdiff1d(every, kept)
    return _Rows(
        table=table,
        target=target[places],
        calibration=canonical(known, others, seed + 1)[0],
        learnt=kept is None,
    )
