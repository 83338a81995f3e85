"""The findings of an explanation, from its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.report import Evidence, Finding
from luban.evaluation.words import number, signed, significant, within
from luban.trust.explain.subject import from_margins, resting, short_unit, shown_output, unit

if TYPE_CHECKING:
    from collections.abc import Collection

    from luban.core.task import Task
    from luban.trust.explain.importance import Importance
    from luban.trust.explain.shapley import Contributions

_SHOWN = 20
_EXACT = 1e-3
_CLOSE = 0.05
# One column that carries more than this of all importance may well be the target in disguise.
_DOMINANT = 0.9
# Rows from which on a direction is told, and the rank correlation below which there is none.
_RANKED = 5
_MIXED = 0.3


def importance_finding(lost: Importance, columns: int, rows: int) -> Finding:
    """Return which columns matter, and a warning where one carries nearly all."""
    first, most = next(iter(lost.columns.items()))
    total = sum(max(0.0, one.value) for one in lost.columns.values())
    share = most.value / total if total > 0 else 0.0
    # Of one or two columns that there was time for, one carries most without any meaning.
    dominant = share > _DOMINANT and columns > 2 and len(lost.columns) > 2
    limits = []
    if lost.rows < rows:
        limits.append(resting(lost.rows, rows))
    if len(lost.columns) < columns:
        limits.append(f"the {len(lost.columns)} of {columns} columns that contribute most")
    what = f"{first} matters most: shuffling it brings a {lost.loss} of {within(most)}"
    if dominant:
        what = f"{first} carries {share:.0%} of all importance: shuffling it brings a {lost.loss} of {within(most)}"
    return Finding(
        what=what + (f" (measured on {' and '.join(limits)})" if limits else ""),
        verdict="warn" if dominant else "info",
        value=share if dominant else most.value,
        threshold=_DOMINANT if dominant else None,
        remedy=(
            f"Make sure that {first} is known at the time of the prediction and does not stem from the target."
            if dominant
            else "Columns that tell the same share their importance: a small figure makes none superfluous."
        ),
        evidence=(
            Evidence(
                title=f"Importance by shuffling ({lost.repeats} times each)",
                columns=("column", lost.loss),
                rows=tuple((name, significant(one.value)) for name, one in list(lost.columns.items())[:_SHOWN]),
                drawing="bar",
                y=lost.loss,
            ),
            Evidence(
                title="Importance with its 95 % interval",
                columns=("column", lost.loss, "low", "high"),
                rows=tuple((name, one.value, one.low, one.high) for name, one in lost.columns.items()),
            ),
        ),
    )


def contribution_finding(
    task: Task,
    inputs: pa.Table,
    told: Contributions,
    by_column: np.ndarray,
    order: np.ndarray,
    *,
    free: Collection[str] = (),
) -> Finding:
    """Return how much each column moves predictions, and in which direction.

    `free` names columns whose values are each its own (texts, files), which have no direction.
    """
    shown = order[:_SHOWN]
    names = inputs.column_names
    sample = inputs.take(pa.array(told.rows))
    directions: dict[int, tuple[str, float | None]] = {
        int(i): ("", None) if names[i] in free else _direction(task, sample.column(int(i)), told.values[:, int(i), :])
        for i in shown
    }
    most = number(float(by_column[order[0]]))
    return Finding(
        what=f"{names[order[0]]} moves predictions most, by {most} {short_unit(task)} on average ({told.note})",
        evidence=(
            Evidence(
                title="Contributions of the columns (Shapley values)",
                columns=("column", "contribution"),
                rows=tuple((names[i], significant(by_column[i])) for i in shown),
                drawing="bar",
                y=f"mean absolute contribution ({unit(task)})",
            ),
            Evidence(
                title="Direction of the contributions",
                columns=("column", f"mean push ({unit(task)})", "direction", "rank correlation"),
                rows=tuple((names[i], significant(by_column[i]), *directions[int(i)]) for i in shown),
            ),
        ),
    )


def _direction(task: Task, column: pa.ChunkedArray, values: np.ndarray) -> tuple[str, float | None]:
    """Return how the values of a column go with its contributions, in words, and for numbers their rank correlation.

    The words are empty for several outputs, and where too few rows are known.
    """
    if values.shape[1] > 1:
        return "", None
    pushed = values[:, 0]
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        plain = column.cast(pa.int64() if pa.types.is_timestamp(column.type) else column.type)
        numbers = plain.to_numpy(zero_copy_only=False).astype(np.float64)
        known = np.isfinite(numbers)
        if known.sum() < _RANKED:
            return "too few rows to tell", None
        if np.ptp(numbers[known]) == 0 or np.ptp(pushed[known]) == 0:
            return "none", None
        ranks = [np.argsort(np.argsort(one)) for one in (numbers[known], pushed[known])]
        slope = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
        if abs(slope) < _MIXED:
            return "mixed", significant(slope)
        return f"higher values push {'up' if slope > 0 else 'down'}", significant(slope)
    named = np.array([one or "missing" for one in column.to_pylist()], dtype=object)
    labels, codes = np.unique(named, return_inverse=True)
    means = np.bincount(codes, weights=pushed) / np.bincount(codes)
    ends = dict.fromkeys((int(means.argmax()), int(means.argmin())))
    return ", ".join(f"{labels[i]} {signed(float(means[i]))} {short_unit(task)}" for i in ends), None


def additivity_finding(task: Task, told: Contributions, predictions: np.ndarray) -> tuple[Finding, float]:
    """Return whether contributions add up to the predictions, as Shapley values must."""
    summed = told.base + told.values.sum(axis=1)
    shown = shown_output(task, predictions)[1]
    gaps = np.abs(from_margins(task, summed) - shown)
    scale = 1.0 if task.classes else float(max(shown.std(), 1e-12))
    gap, mean = float(gaps.max() / scale), float(gaps.max(axis=1).mean() / scale)
    words = "of probability" if task.classes else "standard deviations of the predictions"
    if gap <= _EXACT:
        what = "Contributions add up to the predictions"
    else:
        what = (
            f"Contributions add up to the predictions within {number(mean)} {words} on average, {number(gap)} at most"
        )
    finding = Finding(
        what=what,
        verdict="pass" if gap <= _EXACT else "info" if mean <= _CLOSE else "warn",
        value=mean,
        threshold=_CLOSE,
        remedy=(
            ""
            if mean <= _CLOSE
            else "Read contributions as a ranking: they explain the mean of the margins of the members that can be "
            "explained, while predictions are the mean of all members' outputs."
        ),
    )
    return finding, gap
