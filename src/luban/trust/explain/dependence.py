"""Partial dependence: the average prediction as one column takes other values, all else as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.report import Evidence
from luban.evaluation.words import significant
from luban.trust.explain.subject import output_names, shown_output

if TYPE_CHECKING:
    from luban.core.protocols import Model
    from luban.core.schema import Column
    from luban.core.task import Task

_POINTS = 20
_VALUES = 10
_SERIES = 6
_LINES = 12


def grid(column: Column, values: pa.ChunkedArray) -> pa.Array | None:
    """Return the values to try: quantiles of numbers and dates, common values of categories; None for other kinds."""
    known = pc.drop_null(values)
    if column.kind in ("number", "date"):
        plain = known.cast(pa.int64() if column.kind == "date" else pa.float64()).to_numpy()
        plain = plain[np.isfinite(plain)]
        if len(plain) == 0:
            return None
        # Half of the points where the rows are, half where the values are: a column that is mostly 0 shows its rest.
        low, high = np.quantile(plain, [0.005, 0.995], method="nearest")
        distinct = np.unique(plain[(plain >= low) & (plain <= high)])
        shares = np.linspace(0, 1, _POINTS // 2)
        points = np.unique(
            [np.quantile(one, shares, method="nearest") for one in (np.clip(plain, low, high), distinct)]
        )
        return pa.array(points).cast(values.type)
    if column.kind in ("category", "boolean"):
        counts = pc.value_counts(known.combine_chunks())
        common = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:_VALUES]
        return counts.field("values").take(pa.array(common))
    return None


def dependence(
    model: Model,
    task: Task,
    table: pa.Table,
    column: Column,
    *,
    values: pa.ChunkedArray | None = None,
    lines: bool = False,
) -> Evidence | None:
    """Return the partial dependence on one column (Friedman 2001), None where it has fewer than two values to try.

    Parameters
    ----------
    table : pyarrow.Table
        Canonical inputs of the rows to average over.
    values : pyarrow.ChunkedArray, optional
        The column in all rows, from which the values to try are chosen: few rows may lack the common ones.
    lines : bool
        Whether the curves of single rows are drawn too (individual conditional expectation, Goldstein et al. 2015).
    """
    place = table.column_names.index(column.name)
    known = values if values is not None else table.column(place)
    tried = grid(column, known)
    if tried is None or len(tried) < 2:
        return None
    rows = table.num_rows
    repeated = table.take(pa.array(np.tile(np.arange(rows), len(tried))))
    set_to = tried.take(pa.array(np.repeat(np.arange(len(tried)), rows)))
    words, shown = shown_output(task, model.predict(repeated.set_column(place, column.name, set_to)))
    outputs = shown.reshape(len(tried), rows, -1)
    means = outputs.mean(axis=1)
    names: tuple[str, ...] = ("average",) if means.shape[1] == 1 else output_names(task)
    if means.shape[1] > _SERIES:
        moved = np.sort(np.argsort(-(means.max(axis=0) - means.min(axis=0)))[:_SERIES])
        means, names = means[:, moved], tuple(names[i] for i in moved)
    if lines and outputs.shape[2] == 1:
        single = outputs[:, np.linspace(0, rows - 1, min(_LINES, rows)).astype(int), 0]
        means = np.concatenate([means, single], axis=1)
        names = (*names, *(f"row {i + 1}" for i in range(single.shape[1])))
    ordered = column.kind in ("number", "date")
    return Evidence(
        title=f"Partial dependence on {column.name}" + ("" if ordered else _left_out(known, len(tried))),
        columns=(column.name, *names),
        rows=tuple(
            (_plain(value), *(significant(one) for one in line)) for value, line in zip(tried, means, strict=True)
        ),
        drawing="line" if ordered else "bar",
        x=column.name,
        y=f"{words}, average of {rows:,} rows",
    )


def _left_out(values: pa.ChunkedArray, tried: int) -> str:
    others = len(pc.unique(pc.drop_null(values))) - tried
    return f" (the {tried} most frequent values; {others:,} not shown)" if others > 0 else ""


def _plain(value: pa.Scalar) -> Any:
    plain = value.as_py()
    return (
        significant(plain) if isinstance(plain, float) else plain.isoformat() if hasattr(plain, "isoformat") else plain
    )
