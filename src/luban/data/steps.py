"""The steps of cleaning, one function each: from a table and its schema to those after the step, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError, NotFound
from luban.core.schema import Kind
from luban.data.conform import conform
from luban.data.infer import infer
from luban.data.numbers import flat
from luban.data.rows import row_hashes
from luban.data.storage import plain_type

if TYPE_CHECKING:
    from luban.core.schema import Column, Schema

Outcome = tuple[pa.Table, "Schema", str]
Names = Sequence[str] | None


def duplicates(table: pa.Table, schema: Schema, *, columns: Names = None) -> Outcome:
    """Keep the first of rows that are equal in these columns (by default in all)."""
    names = _named(schema, columns) or list(table.column_names)
    first = np.sort(np.unique(row_hashes(table, names), return_index=True)[1])
    return (
        table.take(pa.array(first)),
        schema,
        f"dropped {table.num_rows - len(first):,} rows that repeat an earlier one",
    )


def constant(table: pa.Table, schema: Schema) -> Outcome:
    """Drop columns that hold one value, or none."""
    names = [name for name in table.column_names if _is_constant(table[name])]
    after, schema, _ = drop(table, schema, columns=names)
    return after, schema, f"dropped {len(names)} columns of one value" + (f": {', '.join(names[:8])}" if names else "")


def drop(table: pa.Table, schema: Schema, *, columns: Sequence[str]) -> Outcome:
    """Drop columns."""
    names = _named(schema, columns)
    if len(names) == len(table.column_names):
        raise InputError("no column would be left", seen=f"{len(names)} columns to drop", remedy="Keep at least one.")
    kept = tuple(column for column in schema.columns if column.name not in names)
    gone = {part: None for part in ("time", "group", "key") if getattr(schema, part) in names}
    return (
        table.drop_columns(names),
        replace(schema, columns=kept, **gone),
        f"dropped the columns {', '.join(names) or 'none'}",
    )


def fill(table: pa.Table, schema: Schema, *, columns: Names = None, value: Any = "median") -> Outcome:
    """Fill missing values with ``median``, ``mean``, ``mode`` (the most frequent) or a value of your own.

    Without `columns` all columns that lack values are filled; ``median`` and ``mean`` stand for the most frequent
    value where a column holds no numbers.
    """
    filled = []
    for column in _chosen(schema, columns):
        canonical = _canonical(table, column)
        if not canonical.null_count or column.kind == "nested":
            continue
        with_what = _filling(column, canonical, value)
        if with_what is None:
            continue
        filled.append(f"{column.name} ({canonical.null_count:,} with {with_what})")
        table = _put(table, column.name, pc.fill_null(canonical, pa.scalar(with_what, canonical.type)))
        schema = _changed(schema, column, storage=str(canonical.type), nullable=False)
    return table, schema, f"filled missing values of {', '.join(filled) or 'no column'}"


def clip(
    table: pa.Table, schema: Schema, *, columns: Names = None, low: float | None = None, high: float | None = None
) -> Outcome:
    """Bound numbers by `low` and `high`, by default at 3 interquartile ranges outside the quartiles."""
    clipped = []
    for column in _chosen(schema, columns, kind="number"):
        values = _canonical(table, column)
        bounds = _fence(values) if low is None and high is None else (low, high)
        if bounds is None:
            continue
        bound = pc.min_element_wise(values, bounds[1], skip_nulls=False) if bounds[1] is not None else values
        bound = pc.max_element_wise(bound, bounds[0], skip_nulls=False) if bounds[0] is not None else bound
        count = pc.sum(pc.not_equal(bound, values)).as_py() or 0
        if count:
            clipped.append(f"{column.name} ({count:,} to {bounds[0]} .. {bounds[1]})")
            table = _put(table, column.name, bound)
            schema = _changed(schema, column, storage="double")
    return table, schema, f"clipped {', '.join(clipped) or 'no column'}"


def infinities(table: pa.Table, schema: Schema, *, columns: Names = None) -> Outcome:
    """Make infinities missing."""
    found = []
    for column in _chosen(schema, columns, kind="number"):
        values = flat(table[column.name])
        if not pa.types.is_floating(values.type):
            continue
        infinite = pc.is_inf(values)
        count = pc.sum(infinite).as_py() or 0
        if count:
            found.append(f"{column.name} ({count:,})")
            table = _put(table, column.name, pc.if_else(infinite, pa.scalar(None, values.type), values))
            schema = _changed(schema, column, nullable=True)
    return table, schema, f"made infinities missing in {', '.join(found) or 'no column'}"


def trim(table: pa.Table, schema: Schema, *, columns: Names = None) -> Outcome:
    """Strip spaces around text and make one space of several; text that is then empty is missing."""
    return _texts(table, schema, columns, "trimmed", _trimmed)


def case(table: pa.Table, schema: Schema, *, columns: Names = None, to: str = "lower") -> Outcome:
    """Write text in ``lower``, ``upper`` or ``title`` case."""
    cases: dict[str, Callable[[pa.Array], pa.Array]] = {
        "lower": pc.utf8_lower,
        "upper": pc.utf8_upper,
        "title": pc.utf8_title,
    }
    if to not in cases:
        raise NotFound.named("case", to, cases)
    return _texts(table, schema, columns, f"wrote in {to} case", cases[to])


def parse(table: pa.Table, schema: Schema, *, columns: Sequence[str], to: Kind) -> Outcome:
    """Read columns as another kind: number, boolean, date, category or text."""
    kinds = tuple(kind for kind in get_args(Kind) if kind in {"number", "boolean", "date", "category", "text"})
    if to not in kinds:
        raise NotFound.named("kind", to, kinds)
    for name in _named(schema, columns):
        column = replace(schema.column(name), kind=to)
        values = flat(table[name])
        if pa.types.is_string(plain_type(values.type)):
            guess = infer(pa.table({name: values})).schema.columns[0]
            column = replace(column, storage=guess.storage if guess.kind == to else "string")
        canonical = _canonical(table, column)
        if to == "boolean":
            canonical = pc.equal(canonical, "true")
        table = _put(table, name, canonical)
        schema = _changed(schema, column, kind=to, storage=str(canonical.type), nullable=canonical.null_count > 0)
    return table, schema, f"read {', '.join(columns)} as {to}"


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def filter_rows(table: pa.Table, schema: Schema, *, column: str, operator: str, value: Any = None) -> Outcome:
    """Keep rows where a column compares so with a value; rows where it is missing are dropped.

    Operators: ==, !=, <, <=, >, >=, in (a list), missing, present.
    """
    chosen = schema.column(column)
    values = _canonical(table, chosen)
    if operator in {"missing", "present"}:
        mask = pc.is_null(values) if operator == "missing" else pc.is_valid(values)
    elif operator in _COMPARE:
        mask = _COMPARE[operator](values, _canonical(pa.table({column: [value]}), chosen)[0])
    elif operator == "in":
        mask = pc.is_in(values, value_set=_canonical(pa.table({column: list(value)}), chosen))
    else:
        raise NotFound.named("operator", operator, [*_COMPARE, "in", "missing", "present"])
    after = table.filter(pc.fill_null(mask, False))
    if not after.num_rows:
        raise InputError("no row would be left", seen=f"{column} {operator} {value}", remedy="Filter less strictly.")
    return (
        after,
        schema,
        f"dropped {table.num_rows - after.num_rows:,} rows; kept {column} {operator} {value or ''}".strip(),
    )


STEPS: dict[str, Callable[..., Outcome]] = {
    "duplicates": duplicates,
    "constant": constant,
    "drop": drop,
    "fill": fill,
    "clip": clip,
    "infinities": infinities,
    "trim": trim,
    "case": case,
    "parse": parse,
    "filter": filter_rows,
}
"""The steps by name, in an order that is sensible where several are wanted."""


def _named(schema: Schema, columns: Names) -> list[str]:
    names = [columns] if isinstance(columns, str) else list(columns or ())
    for name in names:
        schema.column(name)
    return names


def _chosen(schema: Schema, columns: Names, *, kind: Kind | None = None) -> list[Column]:
    names = _named(schema, columns)
    chosen = [schema.column(name) for name in names] if names else list(schema.columns)
    wrong = [column for column in chosen if names and kind is not None and column.kind != kind]
    if wrong:
        raise InputError(
            f"the column {wrong[0].name!r} holds no {kind}",
            seen=f"kind {wrong[0].kind}",
            remedy="Read it with the step 'parse' first.",
        )
    return [column for column in chosen if kind is None or column.kind == kind]


def _canonical(table: pa.Table, column: Column) -> pa.Array:
    values: pa.Array = flat(conform(table.select([column.name]), [column], infinities="missing").table[column.name])
    return values


def _put(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _changed(schema: Schema, column: Column, **changes: Any) -> Schema:
    new = replace(column, **changes)
    return replace(schema, columns=tuple(new if one.name == new.name else one for one in schema.columns))


def _is_constant(values: pa.ChunkedArray) -> bool:
    if pa.types.is_nested(values.type):
        return False
    return len(values.slice(0, 100).unique()) <= 1 and len(values.unique()) <= 1


def _filling(column: Column, values: pa.Array, value: Any) -> Any:
    if value not in ("median", "mean", "mode"):
        return _canonical(pa.table({column.name: [value]}), column)[0].as_py()
    present = values.drop_null()
    if not len(present):
        return None
    if column.kind == "number" and value == "median":
        return float(np.median(np.asarray(present)))
    if column.kind == "number" and value == "mean":
        return float(pc.mean(present).as_py())
    return _most_frequent(present)


def _most_frequent(present: pa.Array) -> Any:
    coded = present.dictionary_encode()
    return coded.dictionary[int(np.bincount(np.asarray(coded.indices)).argmax())].as_py()


def _fence(values: pa.Array) -> tuple[float, float] | None:
    present = np.asarray(values.drop_null())
    if not len(present):
        return None
    lower, upper = np.quantile(present, [0.25, 0.75])
    return (float(lower - 3 * (upper - lower)), float(upper + 3 * (upper - lower))) if upper > lower else None


def _trimmed(values: pa.Array) -> pa.Array:
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"\s+", " ")
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _texts(
    table: pa.Table, schema: Schema, columns: Names, words: str, change: Callable[[pa.Array], pa.Array]
) -> Outcome:
    done = []
    for column in _chosen(schema, columns):
        values = flat(table[column.name])
        if not pa.types.is_string(plain_type(values.type)):
            continue
        values = values.cast(pa.string())
        after = change(values)
        if not after.equals(values):
            done.append(column.name)
            table = _put(table, column.name, after)
            schema = _changed(schema, column, nullable=after.null_count > 0)
    return table, schema, f"{words}: {', '.join(done) or 'nothing to change'}"
