"""What a network would not hear of some sounds, said before training."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.report import Finding
from luban.data.media.mapping import begun_in_time
from luban.modalities.audio.decode import figures, head
from luban.modalities.audio.sound import source

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 200
_HEADS_SECONDS = 3.0
_DECODED_SECONDS = 60.0
"""Of a long sound so much is decoded to see whether it is broken, or what is heard where that is more."""


def inspect(table: pa.Table, column: str, *, rate: int, seconds: float, within: float = math.inf) -> Sequence[Finding]:
    """Return findings on the heads of at most 200 sounds, spread evenly, and on what of them can be decoded in time.

    Parameters
    ----------
    rate, seconds
        As the network hears them.
    within : float
        Seconds that the look may take.
    """
    begun = time.monotonic()
    references = table.column(column)
    present = references.drop_null()
    told = glance(table, column, rate=rate, seconds=seconds, within=0.5 * within)
    chosen = _spread(present, MOST_ROWS).to_pylist()
    # In an order of chance: where there is no time for all of them, those looked at are spread evenly as well.
    shuffled = [chosen[place] for place in np.random.default_rng(0).permutation(len(chosen))]
    most = max(seconds, _DECODED_SECONDS)
    left = within - (time.monotonic() - begun)
    looked = begun_in_time(lambda one: _figures(one, most), shuffled, seconds=left) if shuffled else []
    bad = [one for one in looked if isinstance(one, str)]
    cut = any(not isinstance(one, str) and one["seconds"] > most for one in looked)
    return [
        *_missing(references),
        *_broken(bad, len(looked)),
        *told,
        *_looked_at(len(looked), len(chosen), len(present), most if cut else None),
    ]


def glance(
    table: pa.Table, column: str, *, rate: int, seconds: float, within: float = _HEADS_SECONDS
) -> Sequence[Finding]:
    """Return findings on rates and lengths by the heads of at most 200 sounds, spread evenly; none is decoded."""
    present = table.column(column).drop_null()
    if not len(present):
        return []
    heads = begun_in_time(_head, _spread(present, MOST_ROWS).to_pylist(), seconds=min(within, _HEADS_SECONDS))
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


def _looked_at(looked: int, chosen: int, sounds: int, most: float | None) -> list[Finding]:
    """Say what was decoded, where that is less than the look would take in of shorter sounds."""
    if looked == chosen and most is None:
        return []
    part = "" if most is None else f", of each no more than its first {most:g} s"
    return [
        Finding(
            what=f"whether the sounds decode was seen by {looked:,} of {sounds:,}{part}",
            value=looked,
            remedy="Long recordings take long to read: cut into pieces, a row each, they are learnt from more quickly.",
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


def _figures(reference: str, most: float) -> dict[str, Any] | str:
    try:
        return figures(source(reference), seconds=most)
    except LubanError as error:
        return f"{error.seen or error.happened}"


def _head(reference: str) -> dict[str, Any] | None:
    """Return what the head of a sound tells, None where it cannot be read, which was told as the sound came in."""
    try:
        return head(source(reference))
    except LubanError:
        return None
