"""Which kind of task a target asks for, and by which metric it is judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from luban.core import plugins
from luban.core.errors import InputError, NotFound
from luban.data.classes import labels_of
from luban.data.labels import order
from luban.data.storage import plain_type
from luban.data.target import target_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.task import Label, TaskKind

DEFAULT_METRIC: dict[str, str] = {
    "binary": "roc_auc",
    "multiclass": "log_loss",
    "matching": "mrr",
    "multilabel": "average_precision",
    "tokens": "accuracy",
    "regression": "rmse",
    "quantile": "pinball",
}
OF_ENTITIES = "entity_f1"
"""The default metric of tokens whose labels mark where entities begin and go on (B-, I-)."""
DEFAULT_QUANTILES = (0.1, 0.5, 0.9)
_KINDS = tuple(DEFAULT_METRIC)
_ENTITY = re.compile(r"[BIES]-.+")


def levels_of(quantiles: Sequence[float] | None, kind: str | None) -> tuple[float, ...]:
    """Return the quantile levels that are asked for, ascending; empty for none."""
    if quantiles is None:
        return DEFAULT_QUANTILES if kind == "quantile" else ()
    levels = tuple(sorted({float(one) for one in quantiles}))
    if not levels or not all(0 < one < 1 for one in levels):
        raise InputError(
            "quantiles must lie between 0 and 1", seen=str(list(quantiles)), remedy="Such as 0.1, 0.5, 0.9."
        )
    return levels


def kind_of(
    target: str,
    values: pa.Array,
    kind: str | None,
    metric: str | None,
    levels: tuple[float, ...],
    notes: list[str],
) -> TaskKind:
    """Return the kind of task that is asked for, or that the values tell, and note why."""
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


def kind_of_lists(target: str, words: tuple[str, str] | None, metric: str | None, notes: list[str]) -> TaskKind:
    """Return the kind of task that a target of lists asks for, and note why."""
    found: TaskKind = "multilabel" if words is None else "tokens"
    suited = _kinds_of(metric)
    if found not in suited:
        raise _unsuited(metric, found, suited)
    why = "holds lists of labels" if words is None else f"has a label for each word of {words[0]!r}"
    notes.append(f"The task is {found}: {target!r} {why}.")
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


def default_metric(kind: TaskKind, classes: tuple[Label, ...]) -> str:
    """Return the metric of a task where none is asked for."""
    if kind == "tokens" and any(isinstance(label, str) and _ENTITY.fullmatch(label) for label in classes):
        return OF_ENTITIES
    return DEFAULT_METRIC[kind]
