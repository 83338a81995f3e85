"""What changed between two tables: columns, rows, distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from luban.core.errors import InputError, NotFound
from luban.core.report import Evidence, Finding, Report, worst
from luban.core.schema import Column
from luban.data.conform import conform
from luban.data.infer import infer_schema, kind_of_type
from luban.data.numbers import flat
from luban.data.rows import row_hashes
from luban.data.storage import plain_type

SHIFTED = 0.1
"""Population stability index from which a distribution counts as shifted; 0.25 is a strong shift (Siddiqi 2006)."""
_SHOWN = 10
_WIDEST = 6
_SAMPLE = 100_000


def difference(before: pa.Table, after: pa.Table, *, key: str | None = None, subject: str = "") -> Report:
    """Compare two tables.

    Rows are matched by the key where there is one, so that changed rows are told from removed and added ones;
    without it, equal rows are matched whatever their order. Only columns that both have are compared.

    Parameters
    ----------
    before, after : pyarrow.Table
    key : str, optional
        A column whose values are unique in each table.
    subject : str

    Raises
    ------
    NotFound
        If a table has no such key.
    InputError
        If the key is not unique.
    """
    common = [name for name in before.column_names if name in after.column_names]
    of_columns, figures = _columns(before, after, common)
    before, after = _aligned(before, after, common)
    rows = _by_key(before, after, common, key) if key is not None else _by_row(before, after, common)
    # The answer first: which rows came and went, then what shifted, then the columns themselves.
    findings = rows[0]
    figures |= rows[1]
    shifts = _shifts(before, after, common)
    figures["shifts"] = {name: round(value, 4) for name, value in shifts}
    moved = [(name, round(value, 4)) for name, value in shifts if value >= SHIFTED]
    if moved:
        findings.append(
            Finding(
                what=f"The distribution of {moved[0][0]!r} has shifted"
                if len(moved) == 1
                else f"The distributions of {len(moved)} columns have shifted, most of all that of {moved[0][0]!r}",
                verdict="warn",
                value=moved[0][1],
                threshold=SHIFTED,
                evidence=(
                    Evidence(
                        title="Population stability index",
                        columns=("column", "index"),
                        rows=tuple(moved),
                        drawing="bar",
                    ),
                ),
            )
        )
    elif common:
        findings.append(Finding(what="No distribution has shifted", verdict="pass", threshold=SHIFTED))
    findings += of_columns
    verdict = worst(tuple(findings))
    return Report(check="difference", subject=subject, verdict=verdict, findings=tuple(findings), figures=figures)


def _columns(before: pa.Table, after: pa.Table, common: list[str]) -> tuple[list[Finding], dict[str, Any]]:
    removed = [name for name in before.column_names if name not in common]
    added = [name for name in after.column_names if name not in common]
    old, new = infer_schema(before), infer_schema(after)
    retyped = []
    for name in common:
        one, other = old.column(name), new.column(name)
        if (one.kind, one.storage.split(" ")[0]) != (other.kind, other.storage.split(" ")[0]):
            retyped.append((name, f"{one.kind} ({one.storage})", f"{other.kind} ({other.storage})"))
    findings = []
    if removed:
        findings.append(Finding(what=f"Columns removed: {', '.join(removed)}", verdict="warn", value=len(removed)))
    if added:
        findings.append(Finding(what=f"Columns added: {', '.join(added)}", value=len(added)))
    if retyped:
        evidence = Evidence(title="Types", columns=("column", "before", "after"), rows=tuple(retyped))
        what = f"Columns of another type: {', '.join(row[0] for row in retyped)}"
        findings.append(Finding(what=what, verdict="warn", value=len(retyped), evidence=(evidence,)))
    figures = {
        "columns_added": added,
        "columns_removed": removed,
        "columns_retyped": [row[0] for row in retyped],
        "rows_before": before.num_rows,
        "rows_after": after.num_rows,
    }
    return findings, figures


def _aligned(before: pa.Table, after: pa.Table, common: list[str]) -> tuple[pa.Table, pa.Table]:
    """Return the tables with columns of different types written as text in both, so that 3 equals "3"."""
    for name in common:
        kinds = [plain_type(table.schema.field(name).type) for table in (before, after)]
        if kinds[0] != kinds[1] and not all(kind_of_type(kind) == "number" for kind in kinds):
            column = Column(name=name, kind="category")
            if any(pa.types.is_nested(kind) for kind in kinds):
                continue
            before, after = (
                table.set_column(
                    table.column_names.index(name), name, conform(table.select([name]), [column]).table[name]
                )
                for table in (before, after)
            )
    return before, after


def _by_row(before: pa.Table, after: pa.Table, common: list[str]) -> tuple[list[Finding], dict[str, Any]]:
    old, new = row_hashes(before, common), row_hashes(after, common)
    removed, added = _beyond(old, new), _beyond(new, old)
    findings = [_rows(before, after, removed, added)]
    if not len(removed) and not len(added):
        order = "in the same order" if np.array_equal(old, new) else "in another order"
        findings = [Finding(what=f"The rows are the same, {order}", verdict="pass", value=0)]
    return findings, {"rows_added": len(added), "rows_removed": len(removed)}


def _beyond(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the rows of `one` that `other` has not, each counted as often as it occurs."""
    values, inverse = np.unique(np.concatenate([one, other]), return_inverse=True)
    spare = np.bincount(inverse[len(one) :], minlength=len(values))
    codes = inverse[: len(one)]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], codes[order], side="left")
    occurrence = np.empty(len(one), dtype=np.int64)
    occurrence[order] = np.arange(len(one)) - starts
    return np.flatnonzero(occurrence >= spare[codes])


def _by_key(before: pa.Table, after: pa.Table, common: list[str], key: str) -> tuple[list[Finding], dict[str, Any]]:
    for table in (before, after):
        if key not in table.column_names:
            raise NotFound.named("column", key, table.column_names)
        count = table.num_rows - len(np.unique(row_hashes(table, [key])))
        if count:
            raise InputError(
                f"the key {key!r} is not unique",
                seen=f"{count:,} rows repeat a value",
                remedy="Name another key, or none.",
            )
    old, new = row_hashes(before, [key]), row_hashes(after, [key])
    _, left, right = np.intersect1d(old, new, assume_unique=True, return_indices=True)
    removed = np.flatnonzero(~np.isin(old, new))
    added = np.flatnonzero(~np.isin(new, old))
    changed = np.zeros(len(left), dtype=bool)
    per_column = []
    for name in common:
        differs = row_hashes(before, [name])[left] != row_hashes(after, [name])[right]
        changed |= differs
        if differs.any():
            per_column.append((name, int(differs.sum())))
    findings = [_rows(before, after, removed, added, key)]
    rows = tuple(sorted(per_column, key=lambda pair: -pair[1]))
    evidence = (Evidence(title="Changed values", columns=("column", "rows"), rows=rows, drawing="bar", y="rows"),)
    examples = _examples(
        before, after, key, [name for name, _ in rows[:5]], left[changed][:_SHOWN], right[changed][:_SHOWN]
    )
    findings.append(
        Finding(
            what=f"{int(changed.sum()):,} of {len(left):,} rows with the same {key!r} have changed",
            value=int(changed.sum()),
            evidence=(*evidence, examples) if changed.any() else (),
        )
    )
    figures = {
        "rows_added": len(added),
        "rows_removed": len(removed),
        "rows_changed": int(changed.sum()),
        "changed_by_column": dict(rows),
    }
    return findings, figures


def _examples(
    before: pa.Table, after: pa.Table, key: str, names: list[str], left: np.ndarray, right: np.ndarray
) -> Evidence:
    old, new = before.take(pa.array(left)).to_pylist(), after.take(pa.array(right)).to_pylist()
    rows = [
        (str(one[key]), name, str(one[name]), str(other[name]))
        for one, other in zip(old, new, strict=True)
        for name in names
        if one[name] != other[name]
    ]
    return Evidence(title="Examples", columns=(key, "column", "before", "after"), rows=tuple(rows[: 2 * _SHOWN]))


def _rows(before: pa.Table, after: pa.Table, removed: np.ndarray, added: np.ndarray, key: str | None = None) -> Finding:
    """Return how many rows came and went, with a few of each."""
    counts = f"{len(added):,} {'row' if len(added) == 1 else 'rows'} added, {len(removed):,} removed"
    some = (_some("added", after, added, key), _some("removed", before, removed, key))
    return Finding(
        what=f"{counts} ({before.num_rows:,} before, {after.num_rows:,} after)",
        value=len(added) + len(removed),
        evidence=tuple(one for one in some if one.rows),
    )


def _some(word: str, table: pa.Table, rows: np.ndarray, key: str | None) -> Evidence:
    """Return the first rows, with the key and the first columns: a wide table would be no help."""
    first = (key,) if key is not None else ()
    names = (*first, *(name for name in table.column_names if name != key))[:_WIDEST]
    some = table.select(list(names)).take(pa.array(rows[:_SHOWN])).to_pylist()
    shown = f", {len(names)} of {table.num_columns} columns" if table.num_columns > len(names) else ""
    title = f"Rows {word}" + (f" ({len(some)} of {len(rows):,}{shown})" if len(rows) > len(some) or shown else "")
    return Evidence(title=title, columns=names, rows=tuple(tuple(_plain(row[name]) for name in names) for row in some))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _shifts(before: pa.Table, after: pa.Table, common: list[str]) -> list[tuple[str, float]]:
    """Return (column, population stability index), the most shifted first."""
    if not before.num_rows or not after.num_rows:
        return []
    old, new = _sample(before), _sample(after)
    schema = infer_schema(old.select(common))
    found = []
    for column in schema.columns:
        if column.kind in {"nested", "text"} or column.role == "ignored":
            continue
        try:
            pair = [flat(conform(part, [column], infinities="missing").table[column.name]) for part in (old, new)]
        except InputError:  # the column changed its type, which is a finding of its own
            continue
        found.append((column.name, _index(*_shares(column, *pair))))
    return sorted(found, key=lambda pair: -pair[1])


def _sample(table: pa.Table) -> pa.Table:
    if table.num_rows <= _SAMPLE:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, _SAMPLE).astype(np.int64)))


def _shares(column: Column, old: pa.Array, new: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of ten quantile bins (or of levels) and of missing values, before and after."""
    if column.kind in {"number", "date"}:
        if column.kind == "date":
            old, new = (one.cast(pa.int64()).cast(pa.float64(), safe=False) for one in (old, new))
        present = np.asarray(old.drop_null())
        edges = np.unique(np.quantile(present, np.linspace(0, 1, 11)[1:-1])) if len(present) else np.zeros(0)
        counts = [
            np.bincount(np.searchsorted(edges, np.asarray(one.drop_null())), minlength=len(edges) + 1)
            for one in (old, new)
        ]
    else:
        codes = np.asarray(pa.concat_arrays([old.drop_null(), new.drop_null()]).dictionary_encode().indices)
        size = max(1, int(codes.max(initial=0)) + 1)
        cut = len(old) - old.null_count
        counts = [np.bincount(part, minlength=size) for part in (codes[:cut], codes[cut:])]
        order = np.argsort(-counts[0], kind="stable")  # rare levels are one bin, or chance would look like a shift
        counts = [np.append(one[order[:19]], one[order[19:]].sum()) for one in counts]
    shares = [
        np.append(count, one.null_count) / max(1, len(one)) for count, one in zip(counts, (old, new), strict=True)
    ]
    return shares[0], shares[1]


def _index(old: np.ndarray, new: np.ndarray) -> float:
    old, new = np.maximum(old, 1e-4), np.maximum(new, 1e-4)
    return float(((new - old) * np.log(new / old)).sum())
