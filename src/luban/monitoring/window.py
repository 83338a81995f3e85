"""A window of later rows beside what the model learnt from, as one report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.report import Finding, Report, worst
from luban.data.media.endings import KINDS
from luban.data.shares import percent
from luban.evaluation.words import number, within
from luban.learners.logged import values
from luban.monitoring import quality, shown, stream
from luban.monitoring.drift import FEWEST, Compared, compare, judged
from luban.monitoring.estimate import estimate
from luban.monitoring.expected import worse
from luban.monitoring.outputs import seen
from luban.monitoring.requests import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.protocols import Detector
    from luban.core.schema import Column
    from luban.core.task import Task
    from luban.evaluation.bootstrap import Interval
    from luban.monitoring.baseline import Baseline
    from luban.monitoring.quality import Labelled

CHECK = "monitoring"
"""Name of the check under which windows are kept."""

LATENCIES = (50, 90, 95, 99)
"""Percentiles of the time that answers took."""

_TOLD = 5  # columns that have a finding of their own


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows to compare.

    Parameters
    ----------
    inputs : pyarrow.Table
        Canonical.
    outputs : pyarrow.Table, optional
        The answers of one version of the model, by the names of `luban.learners.predictions.column_names`.
    labelled : Labelled, optional
        Those of the window that have a label.
    history : Labelled, optional
        All that have one, for the streaming detectors.
    latency : numpy.ndarray, optional
        Milliseconds that each answer of the version took, shape (n,).
    embedded : mapping of str to numpy.ndarray
        Vectors of some values of an input, shape (n, d), by the backbone of its baseline.
    counts : mapping of str to int
        How requests of about this time ended, by outcome, as `luban.store.outcomes.Outcomes` has them.
    since, until : str
        First and last moment, in words.
    """

    inputs: pa.Table
    outputs: pa.Table | None = None
    labelled: Labelled | None = None
    history: Labelled | None = None
    latency: np.ndarray | None = None
    embedded: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def report(
    task: Task,
    columns: Sequence[Column],
    base: Baseline,
    window: Window,
    *,
    subject: str,
    detectors: Mapping[str, Detector] | None = None,
    threshold: float | None = None,
    seed: int = 0,
) -> Report:
    """Compare a window with a baseline and report.

    Parameters
    ----------
    columns : sequence of Column
        The model's inputs.
    threshold : float, optional
        From which probability on a row of a binary task counts as positive.

    Returns
    -------
    Report
        Its figures: ``rows``, ``since``, ``until``, ``against``; ``drift`` (``columns``, ``drifted``, ``share``,
        ``worst``), ``columns`` and ``outputs`` (by name: ``effect``, ``chance``, ``missing`` and what was measured),
        ``estimated`` (score by metric with ``low``, ``high``, ``expected``), ``quality`` (once there are labels),
        ``stream``, ``latency`` (``p50``, ``p90``, ``p95``, ``p99`` in milliseconds, of answers in the log), and
        ``requests`` and ``log`` as `luban.monitoring.requests.requests` says.
    """
    outputs = window.outputs if window.outputs is not None else pa.table({})
    inside = compare(base.inputs, window.inputs, embedded=window.embedded, seed=seed)
    answers = compare(base.outputs, seen(task, outputs), seed=seed) if outputs.num_rows else ()
    compared = judged([*inside, *answers])  # one family of tests: the bound is on the whole window
    inside, answers = compared[: len(inside)], compared[len(inside) :]
    figures: dict[str, Any] = {
        "rows": window.inputs.num_rows,
        "since": window.since,
        "until": window.until,
        "against": base.subject,
        "baseline_rows": base.rows,
    }
    findings = [*_drift(inside, figures), *_defects(inside), *_answers(answers, figures)]
    findings += _estimated(task, base, outputs, figures, seed)
    findings += _real(task, columns, base, window, figures, threshold, seed)
    findings += _stream(task, base, window, figures, detectors or {}, threshold)
    findings += _latency(window, figures)
    ended, counted = requests(window.counts)
    findings += ended
    figures |= counted
    findings += [Finding(what=note) for note in (*base.notes, *window.notes)]
    return Report(
        check=CHECK, subject=subject, verdict=worst(tuple(findings)), findings=tuple(findings), figures=figures
    )


def drifted(column: Compared) -> bool:
    """Return whether a column's distribution has moved; that dates go on is no drift."""
    return "drift" in column.flags and column.base.kind != "date"


def _drift(columns: Sequence[Compared], figures: dict[str, Any]) -> list[Finding]:
    figures["columns"] = {column.name: shown.figures(column) for column in columns}
    moved = sorted((one for one in columns if drifted(one)), key=lambda one: -shown.effect(one))
    tested = [one for one in columns if one.of("drift") is not None]
    share = len(moved) / len(columns) if columns else 0.0
    figures["drift"] = {
        "columns": len(moved),
        "share": share,
        "worst": max((shown.effect(one) for one in tested), default=0.0),
        "drifted": [one.name for one in moved],
    }
    if not tested and columns and all(one.base.kind in KINDS and one.base.embedded is None for one in columns):
        return [Finding(what="The distribution of the inputs is not compared: they are files")]
    if not tested:
        rows = figures["rows"]
        return [
            Finding(
                what=f"No column could be compared: {rows:,} rows, and at least {FEWEST} values of a column are needed",
                value=rows,
                threshold=FEWEST,
                remedy="Wait for more rows, or take a longer window.",
            )
        ]
    if moved:
        have = "has" if len(moved) == 1 else "have"
        what = f"{len(moved)} of {len(columns)} input columns {have} moved, most of all {moved[0].name!r}"
        what = f"The input {moved[0].name!r} has moved" if len(columns) == 1 else what
    else:
        what = f"None of {len(tested)} input columns has moved"
    head = Finding(
        what=what,
        verdict="warn" if moved else "pass",
        value=shown.effect(moved[0]) if moved else figures["drift"]["worst"],
        threshold=moved[0].of("drift").least if moved else tested[0].of("drift").least,  # type: ignore[union-attr]
        evidence=shown.overview(columns),
        remedy="See what changed where these values come from; predictions on such rows are less sure."
        if moved
        else "",
    )
    return [head, *(shown.moved(one) for one in moved[:_TOLD])]


def _defects(columns: Sequence[Compared]) -> list[Finding]:
    """Return what is wrong with values, whatever their distribution: gone, missing, out of range, never seen."""
    found = [_vanished(one) for one in columns if one.vanished]
    for what, words in _DEFECTS.items():
        mine = [(one, one.of(what)) for one in columns if what in one.flags and not one.vanished]
        if not mine:
            continue
        mine.sort(key=lambda pair: -abs(pair[1].effect))  # type: ignore[union-attr]
        first, measured = mine[0]
        assert measured is not None
        only_dates = all(one.base.kind == "date" for one, _ in mine)
        found.append(
            Finding(
                what=words.format(column=first.name, share=percent(measured.figures["share"]))
                + (f", and {len(mine) - 1} more columns" if len(mine) > 1 else ""),
                verdict="info" if only_dates else "warn",
                value=measured.figures["share"],
                threshold=measured.least,
                evidence=(shown.defects(what, mine),),
            )
        )
    return found


def _vanished(column: Compared) -> Finding:
    before = percent(1 - column.base.missing / max(1, column.base.rows))
    return Finding(
        what=f"The column {column.name!r} has vanished: it had values in {before} of the rows before, and has none now",
        verdict="block",
        value=1.0,
        remedy="Look at what sends the rows; the model takes the column as missing.",
    )


_DEFECTS = {
    "missing": "The share of missing values has changed: {column!r} now misses {share}",
    "out_of_range": "Values lie out of the range that was learnt: {share} of {column!r}",
    "unseen": "Categories came that were never seen: {share} of {column!r}",
}


def _answers(columns: Sequence[Compared], figures: dict[str, Any]) -> list[Finding]:
    if not columns:
        return []
    figures["outputs"] = {column.name: shown.figures(column) for column in columns}
    tested = [one for one in columns if one.of("drift") is not None]
    figures["prediction_drift"] = max((shown.effect(one) for one in tested), default=0.0)
    moved = sorted((one for one in columns if "drift" in one.flags), key=lambda one: -shown.effect(one))
    if not tested:
        return []
    return [
        Finding(
            what=f"The predictions have moved, most of all {moved[0].name!r}"
            if moved
            else "The predictions have not moved",
            verdict="warn" if moved else "pass",
            value=figures["prediction_drift"],
            threshold=(moved or tested)[0].of("drift").least,  # type: ignore[union-attr]
            evidence=shown.moved((moved or tested)[0]).evidence,
        )
    ]


def _estimated(task: Task, base: Baseline, outputs: pa.Table, figures: dict[str, Any], seed: int) -> list[Finding]:
    prediction = values(task, outputs) if outputs.num_rows >= FEWEST else None
    if prediction is None:
        return []
    found = estimate(task, prediction, base.expected, seed=seed)
    before = {} if base.expected is None else base.expected.metrics
    figures["estimated"] = {
        name: {"value": one.value, "low": one.low, "high": one.high, "expected": before.get(name)}
        for name, one in found.items()
    }
    if not found:
        return []
    name = task.metric if task.metric in found else next(iter(found))
    return [_estimate_finding(name, found[name], before.get(name), base)]


def _estimate_finding(name: str, found: Interval, before: float | None, base: Baseline) -> Finding:
    from luban.evaluation.metrics import metric

    corrected = base.expected is not None and bool(base.expected.said)
    how = "corrected by its calibration" if corrected else "as the model itself says, uncorrected"
    lower = worse(base.expected, metric(name), found)
    held = "" if before is None else f"; {number(before)} was expected{', which is clearly better' if lower else ''}"
    return Finding(
        what=f"Without labels {name} is estimated at {within(found)}, {how}{held}",
        verdict="warn" if lower else "pass" if before is not None else "info",
        value=found.value,
        threshold=before,
        remedy="This holds as long as the same inputs mean the same; labels would prove it: luban feedback.",
    )


def _real(
    task: Task,
    columns: Sequence[Column],
    base: Baseline,
    window: Window,
    figures: dict[str, Any],
    threshold: float | None,
    seed: int,
) -> list[Finding]:
    rows = window.labelled
    if rows is None or not len(rows):
        return []
    figures["labelled"] = len(rows)
    if len(rows) < quality.FEWEST or (task.classes and len(np.unique(rows.target)) < 2):
        return [
            Finding(
                what=f"{len(rows):,} rows have labels: too few, or all of one class, to tell the quality",
                value=len(rows),
                threshold=quality.FEWEST,
            )
        ]
    findings, figures["quality"] = quality.quality(
        task, rows, columns, expected=base.expected, threshold=threshold, seed=seed
    )
    return findings


def _stream(
    task: Task,
    base: Baseline,
    window: Window,
    figures: dict[str, Any],
    detectors: Mapping[str, Detector],
    threshold: float | None,
) -> list[Finding]:
    rows = window.history
    if rows is None or len(rows) < quality.FEWEST:
        return []
    if not detectors:
        return [
            Finding(
                what="Errors were not looked at in the order of time: no streaming detector is installed",
                remedy="Run: pip install 'luban[monitoring]'",
            )
        ]
    typical = None if base.expected is None else base.expected.typical
    errors = quality.missed(task, rows, threshold=threshold, typical=typical)
    since = None if window.since is None else np.datetime64(window.since.split("+")[0])
    finding, figures["stream"] = stream.errors_over_time(detectors, errors, rows.moments, since)
    return [finding]


def _latency(window: Window, figures: dict[str, Any]) -> list[Finding]:
    if window.latency is None or not len(window.latency):
        return []
    found = np.quantile(window.latency, [part / 100 for part in LATENCIES])
    figures["latency"] = {f"p{part}": float(one) for part, one in zip(LATENCIES, found, strict=True)}
    half, most = figures["latency"]["p50"], figures["latency"]["p99"]
    told = f"Half of the answers took up to {number(half)} ms, 99 of 100 up to {number(most)} ms"
    return [Finding(what=told, value=half)]


def unread(rows: int, counts: Mapping[str, int], *, subject: str, since: str | None, until: str | None) -> Report:
    """Return what can be told where too few rows were answered to compare anything: how requests ended.

    Figures of what was not compared are not there, so that no rule takes them for well.
    """
    ended, counted = requests(counts)
    few = Finding(
        what=f"Too few answers to compare anything: {rows:,} rows are in the log, and {FEWEST} are needed",
        value=rows,
        threshold=FEWEST,
        remedy="Wait for more rows, or take a longer window.",
    )
    return Report(
        check=CHECK,
        subject=subject,
        verdict=worst((*ended, few)),
        findings=(*ended, few),
        figures={"rows": rows, "since": since, "until": until, **counted},
    )
