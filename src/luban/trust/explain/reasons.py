"""The reasons of one prediction, in words and as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.report import Evidence, Finding
from luban.evaluation.words import number, significant
from luban.trust.explain.subject import output_names, unit

if TYPE_CHECKING:
    import pyarrow as pa

    from luban.core.task import Task

_NAMED = 3
_SHOWN = 10
_LONGEST = 40


def explained_output(task: Task, prediction: np.ndarray) -> int:
    """Return which output of one prediction is explained: the decided class, the middle quantile, or the only one."""
    if task.classes and task.kind != "binary":
        return int(prediction.argmax())
    return len(task.quantiles) // 2


def reasons(
    task: Task, row: int, inputs: pa.Table, prediction: np.ndarray, values: np.ndarray, base: np.ndarray
) -> tuple[Finding, dict[str, Any]]:
    """Return why one row is predicted as it is.

    Parameters
    ----------
    row : int
        Its number, as the user counts (from 0).
    inputs : pyarrow.Table
        Its canonical inputs, one row.
    prediction : numpy.ndarray
        Its prediction, shape (K,), (Q,) or ().
    values, base : numpy.ndarray
        Its contributions (columns, outputs) and what they start from (outputs,).

    Returns
    -------
    tuple
        The finding, and the same as JSON values.
    """
    output = explained_output(task, np.asarray(prediction))
    pushes = values[:, output]
    names = inputs.column_names
    seen = [inputs.column(i)[0].as_py() for i in range(len(names))]
    ranked = np.argsort(-np.abs(pushes), kind="stable")
    told = [
        f"{names[i]} = {written(seen[i])} pushes {'up' if pushes[i] > 0 else 'down'} by {number(abs(float(pushes[i])))}"
        for i in ranked[:_NAMED]
        if pushes[i] != 0
    ]
    because = f", because {'; '.join(told)}" if told else ", as for the average row"
    bars = [(f"{names[i]} = {written(seen[i])}", significant(pushes[i])) for i in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        bars.append((f"{len(ranked) - _SHOWN} other columns", significant(pushes[ranked[_SHOWN:]].sum())))
    of = output_names(task)[output]
    finding = Finding(
        what=f"Row {row}: {_said(task, prediction, output)}{because}",
        value=significant(float(base[output] + pushes.sum())),
        evidence=(
            Evidence(
                title=f"Reasons for row {row}",
                columns=("input", "push"),
                rows=tuple(bars),
                drawing="bar",
                x="",
                y=f"push on {of}" + (f" ({unit(task)})" if task.classes else ""),
            ),
        ),
    )
    figures = {
        "row": row,
        "output": of,
        "unit": unit(task),
        "prediction": np.asarray(prediction).tolist(),
        "base": float(base[output]),
        "contributions": {names[i]: float(pushes[i]) for i in ranked},
    }
    return finding, figures


def _said(task: Task, prediction: np.ndarray, output: int) -> str:
    if task.kind == "binary":
        return f"{task.classes[-1]} with probability {number(float(prediction[1]))}"
    if task.classes:
        return f"{task.classes[output]} with probability {number(float(prediction[output]))}"
    if task.quantiles:
        return f"{task.target} at level {task.quantiles[output]:g} is {number(float(prediction[output]))}"
    return f"{task.target} is {number(float(prediction))}"


def written(value: Any) -> str:
    """Return an input value as it is written in a sentence."""
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, float):
        return number(value)
    text = value.isoformat(sep=" ") if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
