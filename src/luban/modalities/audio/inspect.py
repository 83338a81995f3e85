"""What a network would not hear of some sounds, said before training."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.report import Finding
from luban.data.media import content
from luban.data.media.mapping import mapped
from luban.data.media.reference import is_data_uri
from luban.modalities.audio.decode import figures, head

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 200
MOST_HEADS = 32


def inspect(table: pa.Table, column: str, *, rate: int, seconds: float) -> Sequence[Finding]:
    """Return findings on at most 200 sounds, spread evenly."""
    references = table.column(column)
    present = _spread(references.drop_null(), MOST_ROWS)
    found, bad = [], []
    for one in mapped(_figures, present.to_pylist()):
        if isinstance(one, str):
            bad.append(one)
        else:
            found.append(one)
    return [
        *_missing(references),
        *_broken(bad, len(present)),
        *(_rates(found, rate) + _long(found, seconds) if found else []),
    ]


def glance(table: pa.Table, column: str, *, rate: int, seconds: float) -> Sequence[Finding]:
    """Return findings on rates and lengths by the heads of at most 32 sounds, spread evenly; none is decoded."""
    present = table.column(column).drop_null()
    heads = list(mapped(_head, _spread(present, MOST_HEADS).to_pylist()))
    found = [one for one in heads if one is not None]
    if not found:
        return []
    told = [*_rates(found, rate), *_long(found, seconds)]
    if len(found) == len(present):
        return told
    by = f"; by the heads of {len(found):,} of {len(present):,} sounds"
    return [replace(one, what=one.what + by) for one in told]


def _spread(references: pa.ChunkedArray, most: int) -> pa.ChunkedArray:
    """Return at most so many values, spread evenly."""
    if len(references) <= most:
        return references
    return references.take(pa.array(np.linspace(0, len(references) - 1, most).astype(np.int64)))


def _missing(references: pa.ChunkedArray) -> list[Finding]:
    missing = references.null_count
    if not missing:
        return []
    share = missing / len(references)
    return [
        Finding(
            what=f"{missing:,} of {len(references):,} rows have no sound",
            verdict="block" if share == 1 else "warn" if share > 0.05 else "info",
            value=round(share, 4),
            threshold=0.05,
            remedy="They are heard as silence; leave them out where a sound should be.",
        )
    ]


def _broken(bad: Sequence[str], looked: int) -> list[Finding]:
    if not bad:
        return []
    return [
        Finding(
            what=f"{len(bad):,} of {looked:,} sounds looked at do not decode: {bad[0]}",
            verdict="block",
            value=round(len(bad) / looked, 4),
            remedy="Import the data again: luban data import leaves broken sounds out and lists them.",
        )
    ]


def _rates(found: Sequence[dict[str, Any]], rate: int) -> list[Finding]:
    counts = Counter(one["rate"] for one in found)
    findings = []
    if len(counts) > 1:
        shown = ", ".join(f"{one:,} Hz ({count})" for one, count in counts.most_common(4))
        findings.append(
            Finding(
                what=f"The sounds have {len(counts)} sample rates: {shown}; all are resampled to {rate:,} Hz",
                verdict="warn",
                value=len(counts),
                threshold=1,
                remedy="Where the rate goes with the class, the network may learn the rate: record all alike.",
            )
        )
    low = sum(count for one, count in counts.items() if one < rate)
    if low:
        findings.append(
            Finding(
                what=f"{low / len(found):.0%} of the sounds have a lower rate than the {rate:,} Hz that the network "
                f"takes: nothing is heard above {min(counts) // 2:,} Hz",
                value=round(low / len(found), 4),
                remedy="That is as good as they are; sounds for prediction should be recorded like them.",
            )
        )
    return findings


def _long(found: Sequence[dict[str, Any]], seconds: float) -> list[Finding]:
    lengths = np.array([one["seconds"] for one in found])
    over = lengths > seconds
    if not over.any():
        return []
    lost = float((lengths[over] - seconds).sum() / lengths.sum())
    share = float(over.mean())
    return [
        Finding(
            what=f"{share:.0%} of the sounds are longer than {seconds:g} s; what is beyond is not heard, {lost:.0%} "
            f"of all (the longest has {lengths.max():,.1f} s)",
            verdict="warn" if share > 0.05 else "info",
            value=round(share, 4),
            threshold=0.05,
            remedy="Cut long recordings into pieces, a row each, with the label of what is heard in it.",
        )
    ]


def _figures(reference: str) -> dict[str, Any] | str:
    try:
        return figures(content(reference))
    except LubanError as error:
        return f"{error.seen or error.happened}"


def _head(reference: str) -> dict[str, Any] | None:
    """Return what the head of a sound tells, None where it cannot be read, which was told as the sound came in."""
    try:
        return head(content(reference) if is_data_uri(reference) else reference)
    except LubanError:
        return None
