"""What is to be predicted, found from the target column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError, NotFound
from luban.core.task import Task
from luban.data.checks import FEWEST_ROWS, check_names, check_nested, ready_to_fit
from luban.data.classes import answers_of, classes_of
from luban.data.labelled_words import only_words, with_words, words_behind
from luban.data.labels import some
from luban.data.lists import label_lists, labels_in
from luban.data.numbers import flat
from luban.data.storage import plain_type
from luban.data.target import missing_target, target_numbers
from luban.data.task_kind import default_metric, kind_of, kind_of_lists, levels_of
from luban.data.words import is_listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.schema import Schema
    from luban.core.task import Label, TaskKind

_LISTED = ("multilabel", "tokens")


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

    Two values are a binary task; other text, booleans and few whole numbers are classes; the rest is regression. Lists
    of labels are tokens where a column has as many words, else multilabel. Matching has to be asked for, and so has a
    multilabel target that is written as text (``a;b``).

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
    listed = is_listed(plain_type(table.schema.field(target).type))
    if not listed or kind not in {None, *_LISTED}:
        check_nested(table, [target])
    notes: list[str] = []
    values = flat(table[target])
    rows = _present(target, values, notes)
    values = values.take(pa.array(rows))
    levels = levels_of(quantiles, kind)
    words: tuple[str, str] | None = None
    if listed or kind == "tokens":
        candidates = [name for name in table.column_names if name != target and name not in ignore]
        words = words_behind(target, values, table.select(candidates).take(pa.array(rows)), kind)
    if listed and kind is None and not levels:
        chosen = kind_of_lists(target, words, metric, notes)
    else:
        chosen = kind_of(target, values, kind, metric, levels, notes)
    chosen, classes, rows = _learnt(target, chosen, kind, values, rows, notes)
    schema = schema.with_role("input", *(one.name for one in schema.columns if one.role == "target"))
    schema = schema.with_role("ignored", *ignore).with_role("target", target)
    kept = table if len(rows) == table.num_rows else table.take(rows)
    if chosen == "tokens" and words is not None:
        kept, schema = only_words(kept, schema, *words, notes)
    schema = _without_constants(kept, schema, notes)
    inputs = tuple(column.name for column in schema.inputs)
    notes.extend(ready_to_fit(kept, schema, inputs))
    task = Task(
        kind=chosen,
        target=target,
        inputs=inputs,
        metric=metric or default_metric(chosen, classes),
        classes=classes,
        quantiles=levels if chosen == "quantile" else (),
        groups=schema.group or next((one.name for one in schema.columns if one.role == "group"), None),
    )
    return TaskInference(
        task=task, schema=schema, notes=tuple(notes), dropped=table.num_rows - len(rows), rows=rows.astype(np.int64)
    )


def _learnt(
    target: str, chosen: TaskKind, asked: str | None, values: pa.Array, rows: np.ndarray, notes: list[str]
) -> tuple[TaskKind, tuple[Label, ...], np.ndarray]:
    """Return the kind for certain, the labels, and the rows that can be learnt from.

    Parameters
    ----------
    values : pyarrow.Array
        The target of these rows.
    """
    if chosen in _LISTED:
        lists = label_lists(target, chosen, values)
        if chosen == "tokens":
            rows, lists = with_words(target, rows, lists, notes)
        return chosen, labels_in(target, chosen, lists, notes), rows
    if chosen == "matching":
        return chosen, answers_of(target, values, notes), rows
    if chosen not in {"binary", "multiclass"}:
        _check_numbers(target, target_numbers(target, values))
        return chosen, (), rows
    classes, keep = classes_of(target, values, notes)
    if asked == "binary" and len(classes) > 2:
        raise InputError(
            f"the target {target!r} has {len(classes)} classes, not two",
            remedy="Ask for --task multiclass (task='multiclass' in Python).",
        )
    found: TaskKind = "binary" if len(classes) == 2 else "multiclass"
    if found != chosen:
        notes.append(f"With two classes the task is {found}.")
    return found, classes, rows[keep]


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
        notes.append(f"Not used: {some(ignored)} (set aside as identifiers, empty, or as asked).")
    if constant:
        notes.append(f"Not used, as they hold one value: {some(constant)}.")
    return schema.with_role("ignored", *constant)
