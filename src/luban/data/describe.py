"""The plain figures of one column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core import plugins
from luban.core.errors import InputError
from luban.core.protocols import Reporting
from luban.core.report import Evidence, Finding
from luban.data.conform import conform
from luban.data.media.endings import KINDS
from luban.data.numbers import flat

if TYPE_CHECKING:
    from luban.core.schema import Column

BINS = 20
_DAY = 86_400e6  # microseconds


@dataclass(frozen=True, kw_only=True)
class Description:
    """Figures of a column.

    Parameters
    ----------
    missing : int
        Rows without a value, of all rows.
    distinct : int
        Different values among the rows that were sampled.
    figures : mapping
        For numbers and dates: min, quantiles, max, mean, deviation, outliers; for categories: top values; for texts,
        pictures and sounds what their modality tells.
    drawing : Evidence, optional
        A histogram, or a bar for each frequent value.
    values : numpy.ndarray, optional
        The sampled numbers, NaN where missing.
    findings : tuple of Finding
        What the modality says of it in words.
    """

    column: Column
    missing: int
    distinct: int
    figures: dict[str, Any]
    drawing: Evidence | None = None
    values: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()


def describe(column: Column, whole: pa.ChunkedArray, sample: pa.ChunkedArray) -> Description:
    """Describe a column; missing values are counted in `whole`, all else in `sample`."""
    missing = whole.null_count
    if pa.types.is_floating(whole.type):
        missing += int(pc.sum(pc.is_nan(whole)).as_py() or 0)
    if column.kind == "nested":
        return Description(column=column, missing=missing, distinct=0, figures={})
    if column.kind in {"text", *KINDS}:
        return _by_modality(column, missing, whole, sample)
    if column.kind in {"number", "date"}:
        return _numbers(column, missing, len(whole), sample)
    coded = flat(sample).dictionary_encode()
    counts = np.bincount(np.asarray(coded.indices.drop_null()), minlength=len(coded.dictionary))
    order = np.argsort(-counts, kind="stable")[:10]
    top = [(coded.dictionary[int(place)].as_py(), int(counts[place])) for place in order]
    figures: dict[str, Any] = {"top": {str(value)[:60]: count for value, count in top}}
    drawing = None
    if len(top) > 1:
        rows = tuple((str(value)[:40], count) for value, count in top)
        drawing = Evidence(title=column.name, columns=("value", "rows"), rows=rows, drawing="bar", y="rows")
    return Description(column=column, missing=missing, distinct=len(coded.dictionary), figures=figures, drawing=drawing)


def _by_modality(column: Column, missing: int, whole: pa.ChunkedArray, sample: pa.ChunkedArray) -> Description:
    modality = plugins.create("modalities", column.kind)
    figures = dict(modality.profile(column.name, whole if column.kind in KINDS else sample))
    found = modality.findings(column.name, figures) if isinstance(modality, Reporting) else ()
    plain = {name: value for name, value in figures.items() if name not in {"kind", "rows", "missing"}}
    distinct = len(flat(sample).unique().drop_null())
    return Description(column=column, missing=missing, distinct=distinct, figures=plain, findings=tuple(found))


def _numbers(column: Column, missing: int, rows: int, sample: pa.ChunkedArray) -> Description:
    try:
        array = conform(pa.table({column.name: sample}), [column], infinities="missing").table[column.name]
    except InputError as error:  # a value in a row outside the sample that the kind was inferred from
        return Description(column=column, missing=missing, distinct=0, figures={"unreadable": error.seen})
    if column.kind == "date":
        values = np.asarray(array.cast(pa.int64()).cast(pa.float64(), safe=False).fill_null(np.nan))
    else:
        values = np.asarray(array.fill_null(np.nan))
    present = np.sort(values[~np.isnan(values)])
    if pa.types.is_string(sample.type):
        missing = round(float(np.isnan(values).mean()) * rows)
    if not len(present):
        return Description(column=column, missing=missing, distinct=0, figures={}, values=values)
    distinct = 1 + int((np.diff(present) != 0).sum())
    low, *quantiles, high = np.quantile(present, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    spread = quantiles[3] - quantiles[1]
    fence = (quantiles[1] - 3 * spread, quantiles[3] + 3 * spread)
    outside = int((present < fence[0]).sum() + (present > fence[1]).sum()) if spread > 0 else 0
    # Days without a time of day are shown without one.
    show = partial(_moment, days=not (present % _DAY).any()) if column.kind == "date" else float
    figures: dict[str, Any] = {
        "min": show(low),
        **{f"q{level}": show(value) for level, value in zip((5, 25, 50, 75, 95), quantiles, strict=True)},
        "max": show(high),
    }
    if column.kind == "number":
        figures |= {"mean": float(present.mean()), "deviation": float(present.std()), "outliers": outside,
                    "zeros": int((present == 0).sum())}  # fmt: skip
        figures["fence"] = [float(one) for one in fence]
    drawing = None
    if distinct > 1:
        counts, edges = np.histogram(present, bins=min(BINS, max(2, distinct)))
        bins = tuple((show(edges[place]), show(edges[place + 1]), int(count)) for place, count in enumerate(counts))
        drawing = Evidence(
            title=column.name, columns=("from", "to", "rows"), rows=bins, drawing="histogram", x=column.name, y="rows"
        )
    return Description(
        column=column, missing=missing, distinct=distinct, figures=figures, drawing=drawing, values=values
    )


def _moment(microseconds: float, *, days: bool) -> str:
    """Return a moment as text, to the minute, or to the day."""
    try:
        moment = datetime(1970, 1, 1) + timedelta(microseconds=float(microseconds))
    except OverflowError:
        return f"{microseconds:g} microseconds since 1970"
    return moment.date().isoformat() if days else moment.isoformat(sep=" ", timespec="minutes")
