"""Filters and order for a page of runs."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, select

from luban.core.errors import InputError
from luban.store.tables import latest, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Condition = tuple[str, str, float]
"""(metric, operator, value)."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def runs_query(
    *,
    operation: str | None,
    parent: str | None,
    state: str | None,
    where: Sequence[Condition],
    roots: bool = False,
    experiment: int | None = None,
) -> Select[Any]:
    """Return the query for the runs that fit and are not deleted; with `roots` only those without a parent."""
    query = select(runs).where(runs.c.deleted.is_(None))
    if experiment is not None:
        query = query.where(runs.c.experiment == experiment)
    if roots:
        query = query.where(runs.c.parent.is_(None))
    for column, wanted in ((runs.c.operation, operation), (runs.c.parent, parent), (runs.c.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    for metric, sign, value in where:
        if sign not in OPERATORS:
            raise InputError(
                "a condition on a metric cannot be read",
                seen=f"{metric} {sign} {value}",
                remedy=f"Use one of {' '.join(OPERATORS)}.",
            )
        one = latest.alias()
        fits = and_(one.c.run == runs.c.id, one.c.metric == metric, OPERATORS[sign](one.c.value, float(value)))
        query = query.join(one, fits)
    return query


def pick(query: Select[Any], order_by: str | None, *, descending: bool) -> Select[Any]:
    """Return the query in order: by start, by end, or by a metric with the runs that lack it last."""
    newest = runs.c.id.desc() if descending else runs.c.id
    if order_by in (None, "started"):
        return query.order_by(newest)
    if order_by == "ended":
        column: Any = runs.c.ended
    else:
        key = latest.alias()
        query = query.outerjoin(key, and_(key.c.run == runs.c.id, key.c.metric == order_by))
        column = key.c.value
    return query.order_by(column.is_(None), column.desc() if descending else column, newest)
