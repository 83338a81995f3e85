"""Directions that predictions must keep to: from what was asked to a constraint of the task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.schema import Schema
    from luban.core.task import Task

_SIGNS: Mapping[str, int] = {"+1": 1, "1": 1, "+": 1, "-1": -1, "-": -1}
_REMEDY = "Write a column and +1 (rises) or -1 (falls), such as age=+1,price=-1."


def directions(asked: Sequence[str]) -> dict[str, int]:
    """Return the direction of each column, from texts such as ``"age=+1"``.

    Raises
    ------
    InputError
        If a text is no column and direction, or a column is given twice.

    Examples
    --------
    >>> directions(["age=+1", "price=-1"])
    {'age': 1, 'price': -1}
    """
    found: dict[str, int] = {}
    for text in asked:
        match = re.fullmatch(r"\s*(.+?)\s*=\s*([+-]?1|[+-])\s*", text)
        if match is None:
            raise InputError("a direction cannot be read", seen=repr(text), remedy=_REMEDY)
        name, sign = match.groups()
        if found.setdefault(name, _SIGNS[sign]) != _SIGNS[sign]:
            raise InputError(f"the column {name!r} is asked to rise and to fall", remedy=_REMEDY)
    return found


def check_directions(wanted: Mapping[str, int], task: Task, schema: Schema) -> None:
    """Raise where predictions cannot be monotonic in these columns.

    Parameters
    ----------
    schema : Schema
        Of all columns, with their roles.

    Raises
    ------
    NotFound
        With the nearest names, if there is no such column.
    InputError
        If a column is the target, is not used or holds no numbers, or the task has more than one output.
    """
    for name in wanted:
        if name not in schema:
            raise NotFound.named("column", name, schema.names)
        column = schema.column(name)
        if name == task.target:
            raise InputError(f"the target {name!r} cannot be monotonic in itself", remedy="Name an input column.")
        if name not in task.inputs:
            raise InputError(
                f"predictions cannot be monotonic in {name!r}, which is not used",
                seen=f"its role is {column.role}",
                remedy="Name an input column that holds numbers.",
            )
        if column.kind != "number":
            raise InputError(
                f"predictions can be monotonic in numbers only, and {name!r} holds none",
                seen=f"its kind is {column.kind}",
                remedy="Name a column of numbers, or give its values as numbers.",
            )
    if wanted and task.kind in ("multiclass", "quantile"):
        raise InputError(
            "predictions can be monotonic where there is one output: a number, or the probability of one class",
            seen=f"a {task.kind} task of {task.outputs} outputs",
            remedy="Leave the directions out.",
        )
