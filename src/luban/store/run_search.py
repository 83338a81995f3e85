"""Runs found by what was logged: metrics, parameters, tags and what the store itself knows of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Select, Text, and_, cast, func, literal_column, select

from luban.core.errors import InputError
from luban.store.tables import latest, run_params, run_tags, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["metric", "param", "tag", "attribute"]

SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

ATTRIBUTES = {
    "id": runs.c.id,
    "name": runs.c.name,
    "state": runs.c.state,
    "operation": runs.c.operation,
    "actor": runs.c.actor,
    "parent": runs.c.parent,
    "started": runs.c.started,
    "ended": runs.c.ended,
}


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One condition.

    Parameters
    ----------
    sign : str
        ``= != < <= > >= LIKE ILIKE IN``, ``NOT IN``, ``IS NULL`` or ``IS NOT NULL``.
    value : object
        A number for metrics, a text for parameters and tags, a list for ``IN``, a moment for moments.
    """

    kind: Kind
    key: str
    sign: str
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """One key of an order."""

    kind: Kind
    key: str
    descending: bool = False


def search_query(
    clauses: Sequence[Clause],
    order: Sequence[Order],
    *,
    experiments: Sequence[int] | None,
    deleted: bool | None,
    dialect: str,
    without: Sequence[str] = (),
) -> Select[Any]:
    """Return the query for the runs that fit, in order: those that lack a key last, the newest first among equals.

    Parameters
    ----------
    experiments : sequence of int, optional
        Only runs of these.
    deleted : bool, optional
        Only deleted ones, or only those that are not; None for both.
    dialect : str
        ``"sqlite"`` or ``"postgresql"``.
    without : sequence of str
        Operations whose runs are left out.
    """
    query = select(runs)
    if experiments is not None:
        query = query.where(runs.c.experiment.in_(list(experiments)))
    if deleted is not None:
        query = query.where(runs.c.deleted.is_not(None) if deleted else runs.c.deleted.is_(None))
    if without:
        query = query.where(runs.c.operation.not_in(list(without)))
    for clause in clauses:
        query, column = _column(query, clause.kind, clause.key, dialect)
        query = query.where(_holds(column, clause, dialect))
    keys: list[Any] = []
    for one in order:
        query, column = _column(query, one.kind, one.key, dialect)
        keys += [column.is_(None), column.desc() if one.descending else column]
    return query.order_by(*keys, runs.c.id.desc())


def _column(query: Select[Any], kind: Kind, key: str, dialect: str) -> tuple[Select[Any], Any]:
    if kind == "attribute":
        if key not in ATTRIBUTES:
            raise InputError(
                f"runs cannot be searched by {key!r}", remedy=f"Use one of {', '.join(sorted(ATTRIBUTES))}."
            )
        return query, ATTRIBUTES[key]
    if kind == "metric":
        score = latest.alias()
        return query.outerjoin(score, and_(score.c.run == runs.c.id, score.c.metric == key)), score.c.value
    table = (run_params if kind == "param" else run_tags).alias()
    query = query.outerjoin(table, and_(table.c.run == runs.c.id, table.c.key == key))
    text = _text(table.c.value, dialect)
    if kind == "param" and '"' not in key:  # what an operation was called with counts as parameters too
        text = func.coalesce(text, runs.c.request[key].as_string())
    return query, text


def _text(value: Any, dialect: str) -> Any:
    """Return a JSON scalar as the text it stands for."""
    if dialect == "postgresql":
        return value.op("#>>", return_type=Text())(literal_column("'{}'"))
    return cast(func.json_extract(value, "$"), Text)


def _holds(column: Any, clause: Clause, dialect: str) -> Any:
    sign, value = clause.sign, clause.value
    if sign == "IS NULL":
        return column.is_(None)
    if sign == "IS NOT NULL":
        return column.is_not(None)
    if sign in SIGNS:
        return SIGNS[sign](column, value)
    if sign == "IN":
        return column.in_(list(value))
    if sign == "NOT IN":
        return column.not_in(list(value))
    if sign == "ILIKE":
        return column.ilike(value)
    if sign == "LIKE":
        # SQLite's own LIKE knows no difference between large and small letters; its GLOB does.
        return column.op("GLOB")(_glob(value)) if dialect == "sqlite" else column.like(value)
    raise InputError("a condition cannot be read", seen=f"{clause.kind}.{clause.key} {sign} {value!r}")


def _glob(pattern: str) -> str:
    marks = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(marks.get(mark, mark) for mark in pattern)
