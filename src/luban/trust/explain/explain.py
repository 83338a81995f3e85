"""The explanation report: what matters, in which direction, and why for single rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError, Unsupported
from luban.core.progress import Progress, tell
from luban.core.report import Evidence, Finding, Report, worst
from luban.data.conform import conform
from luban.data.media.endings import KINDS
from luban.trust.explain.closely import limits, look, of_rows
from luban.trust.explain.dependence import dependence, grid
from luban.trust.explain.findings import additivity_finding, contribution_finding, importance_finding
from luban.trust.explain.importance import importance
from luban.trust.explain.parts import can_show, figures_of
from luban.trust.explain.reasons import reasons
from luban.trust.explain.shapley import contributions
from luban.trust.explain.subject import Clock, Fitted, decided, resting, seconds_a_row, unit
from luban.trust.explain.typical import spread, telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Column

_DEPENDENCE = 6
_NOT_EXPLAINED = {
    "tokens": "each word has a label of its own, and all of them come from one column",
    "matching": "an answer is given for its likeness to one text, which no column takes a share of",
    "multilabel": "each label has reasons of its own; contributions are computed for one decision a row",
}
# Kinds of columns whose values come again, so that one can say which of them push where.
_OF_KINDS = frozenset(("number", "date", "category", "boolean"))
_AVERAGED = 500
_LEAST_AVERAGED = 20


def explain(
    fitted: Fitted,
    table: Any,
    target: np.ndarray | None = None,
    *,
    rows: Sequence[int] | None = None,
    budget: float = 30.0,
    began: float | None = None,
    seed: int = 0,
    subject: str = "",
    lines: bool = False,
) -> Report:
    """Explain a model on rows.

    Parameters
    ----------
    fitted : Fitted
    table : tabular
        The rows, with at least the columns that the model takes.
    target : numpy.ndarray, optional
        Class codes or numbers, shape (n,): with them importance is measured by the loss of the task's metric,
        without by the change of predictions.
    rows : sequence of int, optional
        Numbers of rows, from 0, whose predictions are explained one by one; by default the lowest, the middle and
        the highest prediction of a sample, and where the model can show parts of its values the surest row of each
        class and the surest errors.
    budget : float
        Seconds to take at most; rows are sampled to fit in, and the report says so.
    began : float, optional
        Value of `time.monotonic` from which they count; by default from the call.
    lines : bool
        Whether partial dependence shows the curves of single rows too.

    Returns
    -------
    Report
        Its figures: ``importance`` (column to [loss, low, high]), ``contributions`` (column to mean absolute
        contribution), ``exact``, ``additivity`` (largest gap), ``rows`` (the reasons of single rows; where the model
        can show the parts of its values also ``parts``: pieces of texts with their weights, shares of what is joined.
        Pictures are in the evidence of the findings).

    Raises
    ------
    InputError
        If there are no rows, or a row that is asked for does not exist.
    """
    start = time.monotonic() if began is None else began
    task, model = fitted.task, fitted.model
    shows = can_show(model)
    if task.kind in _NOT_EXPLAINED and not shows:
        raise Unsupported(
            f"predictions of a {task.kind} task cannot be explained by columns",
            seen=_NOT_EXPLAINED[task.kind],
            remedy="Look at the evaluation: luban evaluate shows each label, and what is confused with what.",
        )
    inputs = conform(table, fitted.signature.inputs).table
    asked = _asked(rows, inputs.num_rows)
    # The first prediction starts the learners' libraries, which alone may use up a short budget: a third of it is
    # kept for the explanation in any case, and the end is late by no more than that.
    model.predict(inputs.slice(0, 1))
    clock = Clock(deadline=max(start + 0.9 * budget, time.monotonic() + budget / 3))
    if not len(asked):
        asked = _typical(fitted, inputs, target if shows else None, clock, seed, shows=shows)
    looked = look(fitted, inputs, target, asked, clock, seed) if shows else None
    if looked is not None and task.kind in _NOT_EXPLAINED:
        return of_rows(looked, subject)
    tell(Progress(stage="explain", message="contributions of the columns", done=0.05))
    told = contributions(model, task, inputs, asked, clock=clock.share(0.35), seed=seed)
    by_column = np.abs(told.values).mean(axis=0).sum(axis=1)
    order = np.argsort(-by_column, kind="stable")
    tell(Progress(stage="explain", message="importance of the columns", done=0.4))
    lost = importance(model, task, inputs, target, order, clock=clock.share(0.65), seed=seed)
    tell(Progress(stage="explain", message="partial dependence", done=0.8))
    likely = [*lost.columns, *(inputs.column_names[i] for i in order)]
    curves, averaged, skipped = _curves(fitted, inputs, list(dict.fromkeys(likely)), clock, seed, lines)
    predictions = model.predict(inputs.take(pa.array(told.rows)))
    additive, gap = additivity_finding(task, told, predictions)
    findings = [importance_finding(lost, inputs.num_columns, inputs.num_rows)]
    # Of a single column it needs no saying that all comes from it.
    if looked is None or inputs.num_columns > 1:
        free = {column.name for column in fitted.signature.inputs if column.kind not in _OF_KINDS}
        findings += [contribution_finding(task, inputs, told, by_column, order, free=free), additive]
    if curves:
        what = (
            f"How the average prediction moves with the columns that matter (on {resting(averaged, inputs.num_rows)})"
        )
        findings.append(Finding(what=what, evidence=curves))
    left = [f"the importance of {inputs.num_columns - len(lost.columns)} columns"] * (
        len(lost.columns) < inputs.num_columns
    ) + [f"{skipped} of {skipped + len(curves)} curves of partial dependence"] * (skipped > 0)
    if left:
        what = f"Left out, as they would not have fitted into {budget:g} s: {' and '.join(left)}"
        findings.append(Finding(what=what, remedy="Give a longer budget to have them too."))
    single, rows_found = [], []
    codes = decided(model, task, predictions)
    files = {column.name for column in fitted.signature.inputs if column.kind in KINDS}
    for place, row in enumerate(asked):
        found, figures = reasons(
            task,
            int(row),
            inputs.slice(int(row), 1),
            predictions[place],
            told.values[place],
            told.base,
            decision=int(codes[place]),
            files=files,
        )
        if looked is not None:
            found = looked.finding(place, found, alone=inputs.num_columns == 1)
            figures |= {"parts": figures_of(looked.parts.evidence[place])}
        rows_found.append(found)
        single.append(figures)
    # What a person sees at once is put first.
    findings = [*rows_found, *limits(looked), *findings] if looked is not None else [*findings, *rows_found]
    return Report(
        check="explanation",
        subject=subject,
        verdict=worst(tuple(findings)),
        findings=tuple(findings),
        figures={
            "importance": {name: [one.value, one.low, one.high] for name, one in lost.columns.items()},
            "importance_is": lost.loss,
            "contributions": {inputs.column_names[i]: float(by_column[i]) for i in order},
            "contributions_unit": unit(task),
            "exact": told.exact,
            "additivity": gap,
            "rows": single,
        },
    )


def _asked(rows: Sequence[int] | None, count: int) -> np.ndarray:
    if count == 0:
        raise InputError("there is no row to explain", remedy="Give at least one row.")
    wanted = np.unique(np.asarray(rows if rows is not None else (), dtype=np.int64))
    outside = wanted[(wanted < 0) | (wanted >= count)]
    if len(outside):
        raise InputError(
            f"there is no row {outside[0]}", seen=f"{count} rows", remedy=f"Rows are counted from 0 to {count - 1}."
        )
    return wanted


def _typical(
    fitted: Fitted, inputs: pa.Table, target: np.ndarray | None, clock: Clock, seed: int, *, shows: bool
) -> np.ndarray:
    """Return the rows that show most among a sample, or those with the lowest, middle and highest prediction."""
    affordable = 0.1 * max(0.0, clock.left) / seconds_a_row(fitted.model, inputs)
    sample = np.random.default_rng(seed).permutation(inputs.num_rows)[: int(np.clip(affordable, 20, _AVERAGED))]
    predictions = fitted.model.predict(inputs.take(pa.array(sample)))
    if not shows:
        return np.unique(sample[spread(fitted.task, predictions)])
    known = None if target is None else target[sample]
    return np.unique(sample[telling(fitted.model, fitted.task, predictions, known)])


def _curves(
    fitted: Fitted, inputs: pa.Table, names: list[str], clock: Clock, seed: int, lines: bool
) -> tuple[tuple[Evidence, ...], int, int]:
    """Return partial dependence of the first columns that have one, the rows of each, and how many time left out."""
    columns: dict[str, Column] = {column.name: column for column in fitted.signature.inputs}
    pace = seconds_a_row(fitted.model, inputs)
    rows = int(min(inputs.num_rows, np.clip(0.7 * clock.left / (pace * 20 * _DEPENDENCE), _LEAST_AVERAGED, _AVERAGED)))
    sample = inputs.take(pa.array(np.random.default_rng(seed).permutation(inputs.num_rows)[:rows]))
    curves: list[Evidence] = []
    slowest = pace * 20 * rows
    for place, name in enumerate(names):
        if len(curves) == _DEPENDENCE:
            break
        if clock.left < slowest:
            drawable = sum(grid(columns[one], inputs.column(one)) is not None for one in names[place:])
            return tuple(curves), rows, min(_DEPENDENCE - len(curves), drawable)
        start = time.monotonic()
        curve = dependence(fitted.model, fitted.task, sample, columns[name], values=inputs.column(name), lines=lines)
        if curve is not None:
            slowest = time.monotonic() - start
            curves.append(curve)
    return tuple(curves), rows, 0
