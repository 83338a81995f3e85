"""What is in a table and what is wrong with it, as a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.report import Evidence, Finding, Report, worst
from luban.data.describe import Description, describe
from luban.data.labels import order
from luban.data.leakage import SURE, leaks
from luban.data.media import marks
from luban.data.media.verify import WORDS, told
from luban.data.numbers import flat, words_for_missing
from luban.data.rows import row_hashes
from luban.data.shares import percent
from luban.data.words import is_listed

if TYPE_CHECKING:
    from luban.core.schema import Schema

SAMPLE = 50_000
"""Rows that quantiles, levels and leaks are found from; missing values and duplicates are counted in all rows."""
MOST_DRAWN = 40


def profile(table: pa.Table, schema: Schema, *, target: str | None = None, subject: str = "") -> Report:
    """Examine a table: types, missing values, ranges, levels, duplicates, constants, leaks, outliers, balance.

    Parameters
    ----------
    table : pyarrow.Table
    schema : Schema
        Of the table.
    target : str, optional
        For the findings that concern it; by default the column whose role is target.
    subject : str
        What the report is of.

    Raises
    ------
    NotFound
        If there is no such target.
    """
    if target is not None:
        schema.column(target)
    target = target or next((column.name for column in schema.columns if column.role == "target"), None)
    sample = table
    if table.num_rows > SAMPLE:
        sample = table.take(pa.array(np.linspace(0, table.num_rows - 1, SAMPLE).astype(np.int64)))
    wholes = dict(zip(table.column_names, table.columns, strict=True))
    samples = dict(zip(sample.column_names, sample.columns, strict=True))
    found = {
        column.name: describe(column, wholes[column.name], samples[column.name])
        for column in schema.columns
        if column.name in wholes
    }
    duplicates = table.num_rows - len(np.unique(row_hashes(table))) if table.num_rows else 0
    findings = [_overview(table, sample, found)]
    findings += _duplicates(table, duplicates)
    findings += _missing(table, found)
    findings += _left_out(table, found)
    for one in found.values():
        findings += one.findings
    findings += _written(wholes, found)
    findings += _constants(found)
    findings += _levels(sample, found)
    findings += _outliers(sample, found)
    suspects = leaks(sample, schema, target, found) if target is not None else []
    if target is not None:
        findings += [_balance(table, found[target], target)]
        findings += _leaks(suspects, target)
        findings += _hints(schema, target, {leak.column for leak in suspects})
    # What names a row (an identifier, a key) differs in each: a bar of 1 for every value says nothing.
    drawings = [
        one.drawing for one in found.values() if one.drawing is not None and one.column.role not in {"ignored", "key"}
    ]
    findings.append(
        Finding(
            what=f"Distributions of {min(len(drawings), MOST_DRAWN)} of {len(found)} columns",
            evidence=tuple(drawings[:MOST_DRAWN]),
        )
    )
    figures = {
        "rows": table.num_rows,
        "sampled": sample.num_rows,
        "columns": len(found),
        "missing_cells": sum(one.missing for one in found.values()),
        "duplicate_rows": duplicates,
        "leaks": {leak.column: leak.share for leak in suspects},
        "broken_files": {name: count for name in found if (count := marks.broken(table.schema.field(name))["count"])},
        "by_column": {name: _figures(one) for name, one in found.items()},
    }
    verdict = worst(tuple(findings))
    return Report(check="profile", subject=subject, verdict=verdict, findings=tuple(findings), figures=figures)


def _figures(one: Description) -> dict[str, Any]:
    return {
        "kind": one.column.kind,
        "role": one.column.role,
        "missing": one.missing,
        "distinct": one.distinct,
        **one.figures,
    }


def _overview(table: pa.Table, sample: pa.Table, found: dict[str, Description]) -> Finding:
    rows = tuple(
        (
            name,
            one.column.kind,
            one.column.role,
            round(one.missing / max(1, table.num_rows), 4),
            one.distinct,
            one.figures.get("min"),
            one.figures.get("q50"),
            one.figures.get("max"),
            next(iter(one.figures.get("top", {})), None),
        )
        for name, one in found.items()
    )
    columns = ("column", "kind", "role", "missing", "distinct", "min", "median", "max", "most frequent")
    sampled = f"; figures of columns from {sample.num_rows:,} rows spread evenly" if sample is not table else ""
    return Finding(
        what=f"{table.num_rows:,} rows and {len(found)} columns{sampled}",
        evidence=(Evidence(title="Columns", columns=columns, rows=rows),),
    )


def _duplicates(table: pa.Table, count: int) -> list[Finding]:
    if not count:
        return [Finding(what="No row occurs twice", verdict="pass", value=0)]
    share = count / table.num_rows
    return [
        Finding(
            what=f"{count:,} rows repeat an earlier one",
            verdict="warn" if share > 0.01 else "info",
            value=round(share, 4),
            threshold=0.01,
            remedy="Drop them with the cleaning step 'duplicates' if they are no separate observations.",
        )
    ]


def _missing(table: pa.Table, found: dict[str, Description]) -> list[Finding]:
    shares = {name: one.missing / max(1, table.num_rows) for name, one in found.items() if one.missing}
    if not shares:
        return [Finding(what="No value is missing", verdict="pass", value=0)]
    most = max(shares, key=lambda name: shares[name])
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return [
        Finding(
            what=f"{_columns(len(shares))} missing values"
            + (
                f", most of all {most!r} ({percent(shares[most])} of the rows)"
                if len(shares) > 1
                else f": {most!r} in {found[most].missing:,} of {table.num_rows:,} rows ({percent(shares[most])})"
            ),
            verdict="warn" if shares[most] > 0.5 else "info",
            value=round(shares[most], 4),
            threshold=0.5,
            evidence=(
                Evidence(
                    title="Missing values",
                    columns=("column", "rows", "share of all rows"),
                    rows=tuple((name, found[name].missing, percent(share)) for name, share in ranked[:MOST_DRAWN]),
                ),
            ),
            remedy="Learners handle missing values; drop a column that is almost empty." if shares[most] > 0.5 else "",
        )
    ]


def _left_out(table: pa.Table, found: dict[str, Description]) -> list[Finding]:
    """Tell which pictures and sounds could not be read when the rows were imported: they are missing now."""
    findings = []
    for name in found:
        broken = marks.broken(table.schema.field(name))
        if not broken["count"]:
            continue
        kind = marks.kind(table.schema.field(name)) or "image"
        rows = tuple((one["name"], one["why"]) for one in broken["files"][:MOST_DRAWN])
        findings.append(
            Finding(
                what=told(name, kind, broken),
                verdict="warn",
                value=broken["count"],
                threshold=0,
                evidence=(Evidence(title=f"Unreadable {WORDS[kind]}", columns=("file", "why"), rows=rows),),
                remedy="Replace these files and import again, or leave their rows out.",
            )
        )
    return findings


def _written(wholes: dict[str, pa.ChunkedArray], found: dict[str, Description]) -> list[Finding]:
    """Find numbers that are written as text, and say which words among them were taken as missing."""
    findings = []
    for name, one in found.items():
        if one.column.kind != "number" or not one.column.storage.startswith("string"):
            continue
        words = words_for_missing(wholes[name])
        said = ", ".join(f"{_quoted(word)} in {count:,} {'row' if count == 1 else 'rows'}" for word, count in words[:5])
        more = f" and {len(words) - 5} other words" if len(words) > 5 else ""
        findings.append(
            Finding(
                what=f"{name!r} holds numbers written as text"
                + (f"; taken as missing: {said}{more}" if words else "; all of them can be read"),
                value=sum(count for _, count in words),
            )
        )
    return findings


def _quoted(word: str) -> str:
    return f"{word!r}" if word.strip() else "an empty text" if not word else "a text of spaces"


def _columns(count: int) -> str:
    return "1 column has" if count == 1 else f"{count:,} columns have"


def _constants(found: dict[str, Description]) -> list[Finding]:
    constant = [name for name, one in found.items() if one.distinct <= 1 and one.column.kind != "nested"]
    identifiers = [name for name, one in found.items() if one.column.role == "ignored" and name not in constant]
    nested = [name for name, one in found.items() if one.column.kind == "nested"]
    findings = []
    if constant:
        remedy = "Drop them with the cleaning step 'constant'."
        findings.append(
            Finding(what=f"One value only: {_some(constant)}", verdict="warn", value=len(constant), remedy=remedy)
        )
    if identifiers:
        findings.append(Finding(what=f"Identifiers, set aside: {_some(identifiers)}", value=len(identifiers)))
    if nested:
        remedy = "Flatten or drop them: nothing can be learnt from them as they are."
        findings.append(
            Finding(what=f"Nested values: {_some(nested)}", verdict="block", value=len(nested), remedy=remedy)
        )
    return findings


def _levels(sample: pa.Table, found: dict[str, Description]) -> list[Finding]:
    many = {
        name: one.distinct
        for name, one in found.items()
        if one.column.kind == "category"
        and one.column.role == "input"
        and one.distinct > max(50, 0.05 * sample.num_rows)
    }
    if not many:
        return []
    return [
        Finding(
            what=f"Categories with very many levels: {_some(list(many))}",
            value=max(many.values()),
            evidence=(Evidence(title="Levels", columns=("column", "levels"), rows=tuple(many.items()), drawing="bar"),),
        )
    ]


def _outliers(sample: pa.Table, found: dict[str, Description]) -> list[Finding]:
    shares = {
        name: one.figures["outliers"] / max(1, sample.num_rows)
        for name, one in found.items()
        if one.figures.get("outliers") and one.distinct > 10
    }
    if not shares:
        return []
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])[:MOST_DRAWN]
    return [
        Finding(
            what=f"{_columns(len(shares))} values more than 3 interquartile ranges outside the quartiles",
            value=round(ranked[0][1], 4),
            evidence=(
                Evidence(
                    title="Outliers",
                    columns=("column", "rows", "share of all rows"),
                    rows=tuple((name, found[name].figures["outliers"], percent(share)) for name, share in ranked),
                ),
            ),
            remedy="Look whether they are errors; the cleaning step 'clip' bounds them.",
        )
    ]


def _balance(table: pa.Table, one: Description, target: str) -> Finding:
    if one.column.kind in {"number", "date"} and one.distinct > 20:
        evidence = (one.drawing,) if one.drawing is not None else ()
        return Finding(what=f"The target {target!r} holds {one.distinct:,} different numbers", evidence=evidence)
    values = flat(table[target]).drop_null()
    # Of lists each label counts by itself.
    coded = (pc.list_flatten(values).drop_null() if is_listed(values.type) else values).dictionary_encode()
    counts = np.bincount(np.asarray(coded.indices), minlength=len(coded.dictionary))
    labels = coded.dictionary.to_pylist()
    by_label = {label: int(count) for label, count in zip(labels, counts, strict=True)}
    rows = tuple((str(label), by_label[label]) for label in order(by_label))[:MOST_DRAWN]
    smallest = float(counts.min() / max(1, counts.sum())) if len(counts) else 0.0
    limit = round(0.2 / max(1, len(counts)), 4)
    low = len(counts) > 1 and smallest < limit
    return Finding(
        what=f"The smallest of {len(counts)} classes of {target!r} has {smallest:.1%} of the rows"
        + (": imbalanced" if low else ""),
        verdict="warn" if low or len(counts) < 2 else "pass",
        value=round(smallest, 5),
        threshold=limit,
        evidence=(
            Evidence(title=f"Classes of {target}", columns=("class", "rows"), rows=rows, drawing="bar", y="rows"),
        ),
        remedy="Judge by a metric that minds small classes (roc_auc, average_precision, balanced_accuracy)."
        if low
        else "",
    )


def _leaks(suspects: list[Any], target: str) -> list[Finding]:
    return [
        Finding(
            what=f"{leak.column!r} alone tells {target!r} almost perfectly",
            verdict="warn",
            value=leak.share,
            threshold=SURE,
            remedy="If it is known only after the target, leave it out with the ignore option.",
        )
        for leak in suspects
    ]


def _hints(schema: Schema, target: str, known: set[str]) -> list[Finding]:
    """Find names that hold the target's name as whole words, as in ``price`` and ``log_price``."""
    words = _words(target)
    hints = [
        column.name
        for column in schema.columns
        if column.name not in known | {target} and f" {words} " in f" {_words(column.name)} "
    ]
    if not hints:
        return []
    remedy = "Check that they are known before the target is."
    return [Finding(what=f"Named like the target: {_some(hints)}", value=len(hints), remedy=remedy)]


def _words(name: str) -> str:
    return " ".join(re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
