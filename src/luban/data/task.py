"""What is to be predicted, found from the target column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from luban.core import plugins
from luban.core.errors import InputError, NotFound
from luban.core.task import Label, Task, TaskKind
from luban.data.checks import FEWEST_ROWS, check_names, check_nested, ready_to_fit
from luban.data.labels import look_alikes, order, spelling
from luban.data.numbers import flat
from luban.data.storage import plain_type
from luban.data.target import missing_target, target_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Schema

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse", "quantile": "pinball"}
DEFAULT_QUANTILES = (0.1, 0.5, 0.9)
MOST_CLASSES = 1000
_KINDS = tuple(DEFAULT_METRIC)


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskInference:
    """The task, and what was decided on the way.

    Parameters
    ----------
    task : Task
    schema : Schema
        With the roles that the task gives.
    notes : tuple of str
        In words, why.
    dropped : int
        Rows that cannot be learnt from: without a target, or alone in their class.
    rows : numpy.ndarray, shape (n - dropped,), int64
        Indices of the rows that remain, ascending.
    """

    task: Task
    schema: Schema
    notes: tuple[str, ...]
    dropped: int
    rows: np.ndarray

    def learnable(self, table: pa.Table) -> pa.Table:
        """Return the rows of the table that can be learnt from."""
        return table.take(self.rows) if self.dropped else table


def infer_task(
    table: pa.Table,
    schema: Schema,
    target: str,
    *,
    metric: str | None = None,
    kind: str | None = None,
    quantiles: Sequence[float] | None = None,
    ignore: Sequence[str] = (),
) -> TaskInference:
    """Find the task from the target column and check that the table can be learnt from.

    Two values are a binary task; other text, booleans and few whole numbers are classes; the rest is regression.

    Parameters
    ----------
    table : pyarrow.Table
    schema : Schema
    target : str
    metric, kind : str, optional
        Override what would be chosen; a metric for one kind of task implies that kind.
    quantiles : sequence of float, optional
        Levels between 0 and 1; they imply a quantile task.
    ignore : sequence of str
        Columns to leave out.

    Raises
    ------
    NotFound
        If there is no such target or column to ignore, with the nearest names.
    InputError
        If the target or the inputs cannot be learnt from; the message says why and what to do.
    """
    check_names(table.column_names)
    for name in (target, *ignore):
        if name not in table.column_names:
            raise NotFound.named("column", name, table.column_names)
    if target in ignore:
        raise InputError(f"the target {target!r} cannot be ignored", remedy="Name another target.")
    check_nested(table, [target])
    notes: list[str] = []
    values = flat(table[target])
    rows = _present(target, values, notes)
    values = values.take(pa.array(rows))
    levels = _levels(quantiles, kind)
    chosen = _kind(target, values, kind, metric, levels, notes)
    classes: tuple[Label, ...] = ()
    if chosen in {"binary", "multiclass"}:
        classes, keep = _classes(target, values, notes)
        if kind == "binary" and len(classes) > 2:
            raise InputError(
                f"the target {target!r} has {len(classes)} classes, not two",
                remedy="Ask for --task multiclass (task='multiclass' in Python).",
            )
        chosen = "binary" if len(classes) == 2 else "multiclass"
        rows = rows[keep]
    else:
        _check_numbers(target, target_numbers(target, values))
    schema = schema.with_role("input", *(one.name for one in schema.columns if one.role == "target"))
    schema = schema.with_role("ignored", *ignore).with_role("target", target)
    kept = table if len(rows) == table.num_rows else table.take(rows)
    schema = _without_constants(kept, schema, notes)
    inputs = tuple(column.name for column in schema.inputs)
    notes.extend(ready_to_fit(kept, schema, inputs))
    task = Task(
        kind=chosen,
        target=target,
        inputs=inputs,
        metric=metric or DEFAULT_METRIC[chosen],
        classes=classes,
        quantiles=levels if chosen == "quantile" else (),
        groups=schema.group or next((one.name for one in schema.columns if one.role == "group"), None),
    )
    return TaskInference(
        task=task, schema=schema, notes=tuple(notes), dropped=table.num_rows - len(rows), rows=rows.astype(np.int64)
    )


def _present(target: str, values: pa.Array, notes: list[str]) -> np.ndarray:
    absent = missing_target(values)
    rows = np.flatnonzero(~absent)
    if len(values) and not len(rows):
        raise InputError(
            f"the target {target!r} is missing in every row",
            seen=f"{len(values):,} rows",
            remedy="Name another target.",
        )
    if len(rows) < FEWEST_ROWS:
        raise InputError(
            "there are too few rows to learn from",
            seen=f"{len(rows):,} of {len(values):,} rows have a target",
            remedy=f"Give at least {FEWEST_ROWS}, better some hundreds.",
        )
    if absent.any():
        share = absent.mean()
        most = "Most of the target is missing: " if share > 0.5 else ""
        notes.append(f"{most}{int(absent.sum()):,} of {len(values):,} rows have no {target!r} and are left out.")
    return rows


def _levels(quantiles: Sequence[float] | None, kind: str | None) -> tuple[float, ...]:
    if quantiles is None:
        return DEFAULT_QUANTILES if kind == "quantile" else ()
    levels = tuple(sorted({float(one) for one in quantiles}))
    if not levels or not all(0 < one < 1 for one in levels):
        raise InputError(
            "quantiles must lie between 0 and 1", seen=str(list(quantiles)), remedy="Such as 0.1, 0.5, 0.9."
        )
    return levels


def _kind(
    target: str,
    values: pa.Array,
    kind: str | None,
    metric: str | None,
    levels: tuple[float, ...],
    notes: list[str],
) -> TaskKind:
    suited = _kinds_of(metric)
    if kind is not None:
        if kind not in _KINDS:
            raise NotFound.named("kind of task", kind, _KINDS)
        if levels and kind != "quantile":
            raise InputError(f"quantiles are given for a task of kind {kind}", remedy="Leave one of the two out.")
        found = cast("TaskKind", kind)
        notes.append(f"The task is {found}, as asked.")
    elif levels:
        found = "quantile"
        notes.append(f"The task is quantile: the levels {', '.join(map(str, levels))} are asked for.")
    else:
        found, why = _from_values(target, values)
        if found not in suited:
            numeric = not pa.types.is_string(plain_type(values.type))
            other: TaskKind | None = None
            if numeric and found in {"binary", "multiclass"} and "regression" in suited:
                other = "regression"
            elif found == "regression" and "quantile" in suited:
                other = "quantile"
            if other is None:
                raise _unsuited(metric, found, suited)
            found, why = other, f"the metric {metric} is one for {other}"
        notes.append(f"The task is {found}: {why}.")
    if found not in suited:
        raise _unsuited(metric, found, suited)
    return found


def _kinds_of(metric: str | None) -> tuple[str, ...]:
    return _KINDS if metric is None else tuple(plugins.load("metrics", metric).kinds)


def _unsuited(metric: str | None, kind: str, suited: Sequence[str]) -> InputError:
    return InputError(
        f"the metric {metric} does not suit a {kind} task",
        seen=f"it is for {', '.join(suited)}",
        remedy=f"For {kind} the default is {DEFAULT_METRIC[kind]}.",
    )


def _from_values(target: str, values: pa.Array) -> tuple[TaskKind, str]:
    kind = plain_type(values.type)
    distinct = len(values.unique())
    if distinct == 2 or pa.types.is_boolean(kind):
        pair = order(labels_of(values))
        return "binary", f"{target!r} has two values" + (f", {pair[0]!r} and {pair[-1]!r}" if len(pair) == 2 else "")
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not numeric:
        if pa.types.is_string(kind) and distinct > 20:
            try:
                numbers = target_numbers(target, values)
            except InputError:
                pass
            else:
                if np.isfinite(numbers).all():
                    return "regression", f"{target!r} holds numbers written as text, {distinct:,} different ones"
        return "multiclass", f"{target!r} holds {distinct:,} different labels"
    numbers = target_numbers(target, values)
    finite = numbers[np.isfinite(numbers)]
    whole = len(finite) == len(numbers) and bool((finite == np.floor(finite)).all())
    if whole and _few(finite, distinct):
        return "multiclass", f"{target!r} has only {distinct} different whole numbers"
    return "regression", f"{target!r} holds {distinct:,} different numbers"


def _few(numbers: np.ndarray, distinct: int) -> bool:
    """Whole numbers are labels where each is frequent, and they are few or count up from 0 or 1."""
    if distinct > 20 or len(numbers) < 3 * distinct:
        return False
    codes = numbers.min() in {0, 1} and numbers.max() - numbers.min() + 1 == distinct
    return distinct <= 10 or bool(codes)


def labels_of(values: pa.Array) -> list[Label]:
    """Return the different labels, whole numbers as int, each once whatever its spelling."""
    found: dict[str, Label] = {}
    for label in values.unique().to_pylist():
        if label is None:
            continue
        found.setdefault(spelling(label), _label(label))
    return list(found.values())


def _label(value: Any) -> Label:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | int):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    number = float(value)
    return int(number) if number.is_integer() else number


def _classes(target: str, values: pa.Array, notes: list[str]) -> tuple[tuple[Label, ...], np.ndarray]:
    labels = labels_of(values)
    _check_classes(target, labels, len(values))
    places = {spelling(label): place for place, label in enumerate(labels)}
    coded = values.dictionary_encode()
    table = np.array([places[spelling(label)] for label in coded.dictionary.to_pylist()])
    codes = table[coded.indices.to_numpy(zero_copy_only=False)]
    counts = np.bincount(codes, minlength=len(labels))
    single = counts < 2
    if single.all() or (~single).sum() < 2:
        names = ", ".join(repr(labels[place]) for place in np.flatnonzero(single)[:5])
        raise InputError(
            f"fewer than two classes of the target {target!r} have more than one row",
            seen=f"one row each: {names}",
            remedy="Give more rows of them, or name another target.",
        )
    if single.any():
        names = ", ".join(repr(labels[place]) for place in np.flatnonzero(single)[:5])
        notes.append(f"Classes with a single row cannot be learnt and are left out: {names}.")
    classes = order(label for label, alone in zip(labels, single, strict=True) if not alone)
    alike = look_alikes(classes)
    if alike:
        groups = "; ".join(" and ".join(map(repr, group)) for group in alike[:5])
        notes.append(f"Labels of {target!r} that differ by case or spaces only are taken as different ones: {groups}.")
    if len(classes) == 2:
        notes.append(f"The positive class is {classes[1]!r}.")
    return classes, ~single[codes]


def _check_classes(target: str, labels: list[Label], rows: int) -> None:
    if len(labels) < 2:
        raise InputError(
            f"the target {target!r} has one class only",
            seen=f"{labels[0]!r} in all {rows:,} rows",
            remedy="Give rows of another class too, or name another target.",
        )
    if len(labels) > MOST_CLASSES or len(labels) > rows / 2:
        raise InputError(
            f"the target {target!r} has too many different labels for classes",
            seen=f"{len(labels):,} labels in {rows:,} rows",
            remedy="Name another target, or give --task regression (task='regression' in Python) if it holds numbers.",
        )


def _check_numbers(target: str, numbers: np.ndarray) -> None:
    infinite = np.isinf(numbers)
    if infinite.any():
        raise InputError(
            f"the target {target!r} holds infinities",
            seen=f"{int(infinite.sum()):,} of {len(infinite):,} values, the first in row {int(infinite.argmax()) + 1}",
            remedy="Leave those rows out or correct them: the cleaning step 'infinities' makes them missing.",
        )
    if numbers.min() == numbers.max():
        raise InputError(
            f"the target {target!r} has one value only",
            seen=f"{numbers[0]:g} in all {len(numbers):,} rows",
            remedy="Name another target.",
        )


def _without_constants(table: pa.Table, schema: Schema, notes: list[str]) -> Schema:
    constant = []
    for column in schema.inputs:
        if column.kind == "nested":
            continue
        values = table[column.name]
        head = values.slice(0, 100)
        if len(head.unique()) <= 1 and len(values.unique()) <= 1:
            constant.append(column.name)
    ignored = [column.name for column in schema.columns if column.role == "ignored"]
    if ignored:
        notes.append(f"Not used: {_some(ignored)} (set aside as identifiers, empty, or as asked).")
    if constant:
        notes.append(f"Not used, as they hold one value: {_some(constant)}.")
    return schema.with_role("ignored", *constant)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
