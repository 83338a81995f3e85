"""The quickest int8 form of a model that loses no more than allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from luban.core.errors import Unsupported
from luban.core.progress import Progress, tell
from luban.core.report import Evidence, Finding, Report
from luban.export.compress import measure
from luban.export.compress.int8 import forms
from luban.learners.composite import Composite
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.model import GraphModel
from luban.learners.graph.reading import graph_model
from luban.learners.graph.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from luban.export.compress.measure import Pace, Quality

CALIBRATION_ROWS = 256
CALIBRATION_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One form, and what came of it."""

    form: str
    words: str
    bytes: int = 0
    quality: Quality | None = None
    loss: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """A model's int8 form.

    Parameters
    ----------
    fitted : Fitted
    graph : bytes
    form : str
    loss : float
    report : Report
    """

    fitted: Any
    graph: bytes
    form: str
    loss: float
    report: Report


def press(
    fitted: Any,
    graph: bytes,
    table: pa.Table,
    target: np.ndarray,
    *,
    calibration: pa.Table,
    most: float,
    least: float = 0.0,
    static: bool = False,
    source: str = "",
) -> Pressed:
    """Return the first int8 form, from the quickest to the most faithful, that stays within the bounds.

    Parameters
    ----------
    fitted : Fitted
    graph : bytes
        Its ONNX graph.
    table : pyarrow.Table
        Canonical rows to measure on.
    target : numpy.ndarray
        Their true values.
    calibration : pyarrow.Table
        Canonical rows to choose scales on.
    most : float
        The largest loss of the task's metric: in its units where more is better, else as a share of it.
    least : float
        The least share of equal labels, see `Quality.same`; predictions that are numbers are not held to it.
    static : bool
        Whether scales of activations are fixed on the calibration rows.
    source : str
        What is compressed, such as ``"reviews/1"``.

    Raises
    ------
    Unsupported
        If the model has nothing to compress, no form is smaller, or every form loses more or answers otherwise more
        often; what each lost is said.
    """
    task, columns = fitted.task, fitted.signature.inputs
    original = GraphModel(task=task, columns=columns, graph=graph)
    expected = original.predict(table)
    before = measure.quality(task, target, expected, expected, fitted.model.decide)
    tried: list[Tried] = []
    larger = ""
    tell(Progress(stage="compress", message="looking at the layers at work"))
    for form in forms(graph, list(_batches(graph, columns, calibration)), static=static):
        tell(Progress(stage="compress", message=f"int8, {form.name}"))
        one = Tried(form=form.name, words=form.words)
        try:
            content = form.make()
            if len(content) >= len(graph):
                larger = f"{len(content):,} bytes in place of {len(graph):,}"
                tried.append(replace(one, why=f"it is not smaller: {larger}"))
                continue
            made = graph_model(task=task, columns=columns, graph=content, learned={"form": form.name, "source": source})
            found = measure.quality(task, target, expected, made.predict(table), fitted.model.decide)
        except Unsupported as error:
            tried.append(replace(one, why=str(error)))
            continue
        lost = measure.loss(task, before, found)
        tried.append(replace(one, bytes=len(content), quality=found, loss=lost))
        if lost <= most and (not task.classes or found.same >= least):
            tell(Progress(stage="compress", message="measuring the time that both take"))
            pace = measure.paces({"before": original, "after": made}, table)
            whole = Composite(
                members=(made,), weights=(1.0,), task=task, threshold=getattr(fitted.model, "threshold", None)
            )
            bounds = most, least if task.classes else None
            report = _report(task.metric, source, graph, before, pace, tried, table.num_rows, bounds)
            return Pressed(
                fitted=replace(fitted, model=whole, manifest={}),
                graph=content,
                form=form.name,
                loss=lost,
                report=report,
            )
    if larger and all(one.quality is None for one in tried):
        raise Unsupported(
            f"int8 makes {source or 'the model'} no smaller",
            seen=larger,
            remedy="It has few large weights; what it has of trees and words stays as it is.",
        )
    wanted = f"loses at most {most:g} of {task.metric}"
    raise Unsupported(
        f"no int8 form of {source or 'the model'} {wanted}"
        + (f" and gives at least {least:.1%} of the labels the same" if task.classes and least else ""),
        seen="; ".join(_told(one, labels=bool(task.classes)) for one in tried)
        + f"; measured on {table.num_rows:,} rows",
        remedy="Allow more with --max-loss or --min-same (max_loss, min_same in Python), or measure on more rows with "
        "--data.",
    )


def _batches(graph: bytes, columns: Sequence[Any], table: pa.Table) -> Iterator[Mapping[str, np.ndarray]]:
    feeding = Feeding(open_session(graph), columns)
    rows = table.slice(0, CALIBRATION_ROWS)
    for start in range(0, rows.num_rows, CALIBRATION_BATCH):
        yield feeding.table(rows.slice(start, CALIBRATION_BATCH))


def _told(one: Tried, *, labels: bool) -> str:
    if one.loss is None or one.quality is None:
        return f"{one.form}: {one.why}"
    return f"{one.form} loses {one.loss:.3g}" + (f", {one.quality.same:.1%} of the labels the same" if labels else "")


def _report(
    metric: str,
    source: str,
    graph: bytes,
    before: Quality,
    pace: Mapping[str, Pace],
    tried: Sequence[Tried],
    rows: int,
    bounds: tuple[float, float | None],
) -> Report:
    most, least = bounds
    chosen = tried[-1]
    assert chosen.quality is not None
    assert chosen.loss is not None
    after = chosen.quality
    figures = {
        "form": chosen.form,
        "rows": rows,
        "metric": metric,
        "loss": chosen.loss,
        "max_loss": most,
        "same": after.same,
        "min_same": least,
        "difference": after.difference,
        "score": {"before": before.score, "after": after.score},
        "bytes": {"before": len(graph), "after": chosen.bytes},
        "rows_per_second": {name: one.rows for name, one in pace.items()},
        "row_seconds": {name: one.row for name, one in pace.items()},
    }
    quicker = pace["after"].rows / pace["before"].rows
    lines = (
        ("size of the graph (MB)", len(graph) / 1e6, chosen.bytes / 1e6, chosen.bytes / len(graph)),
        (metric, before.score, after.score, None),
        ("rows a second", pace["before"].rows, pace["after"].rows, quicker),
        ("one row (ms)", 1e3 * pace["before"].row, 1e3 * pace["after"].row, pace["after"].row / pace["before"].row),
    )
    compared = Evidence(
        title=f"Before and after, on {rows:,} rows", columns=("", "before", "after", "ratio"), rows=lines
    )
    forms_tried = Evidence(
        title="Forms that were tried",
        columns=("form", "what it is", "MB", f"loss of {metric}", "same answers", "why not"),
        rows=tuple(
            (
                one.form,
                one.words,
                one.bytes / 1e6 if one.bytes else None,
                one.loss,
                one.quality.same if one.quality else None,
                one.why,
            )
            for one in tried
        ),
    )
    finding = Finding(
        what=f"int8, {chosen.form}: {chosen.bytes / len(graph):.2f} times the size, {quicker:.1f} times as quick, "
        + (f"answers correlate by {after.same:.4f}" if least is None else f"{after.same:.1%} of the labels the same"),
        verdict="pass",
        value=chosen.loss,
        threshold=most,
        evidence=(compared, forms_tried),
    )
    findings = [finding]
    if len(tried) > 1:
        fallen = "; ".join(_told(one, labels=least is not None) for one in tried[:-1])
        findings.append(Finding(what=f"Quicker forms were tried and left: {fallen}", verdict="info"))
    return Report(check="compression", subject=source, verdict="pass", findings=tuple(findings), figures=figures)
