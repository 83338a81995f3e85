"""What a network would see little of in some pictures, said before training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.report import Finding
from luban.data.media import content
from luban.data.media.mapping import begun_in_time
from luban.modalities.image.decode import figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.modalities.image.image_pixels import ImagePixels

MOST_ROWS = 200
SMALL = 3
"""A picture is small where the network takes so many times its shorter side."""


def inspect(preparation: ImagePixels, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
    """Return findings on at most 200 pictures, spread evenly; on as many of them as there is time to decode."""
    references = table.column(preparation.columns[0])
    missing = references.null_count
    findings = []
    if missing:
        share = missing / len(references)
        findings.append(
            Finding(
                what=f"{missing:,} of {len(references):,} rows have no picture",
                verdict="block" if share == 1 else "warn" if share > 0.05 else "info",
                value=round(share, 4),
                threshold=0.05,
                remedy="They are seen as one even colour; leave them out where a picture should be.",
            )
        )
    present = references.drop_null()
    chosen = np.linspace(0, len(present) - 1, min(MOST_ROWS, len(present))).astype(np.int64)
    # In an order of chance: where there is no time for all of them, those looked at are spread evenly as well.
    shuffled = present.take(pa.array(np.random.default_rng(0).permutation(chosen))).to_pylist()
    looked = begun_in_time(_sides, shuffled, seconds=seconds) if shuffled else []
    sides = [one for one in looked if isinstance(one, int)]
    bad = [one for one in looked if isinstance(one, str)]
    if bad:
        share = len(bad) / len(looked)
        findings.append(
            Finding(
                what=f"{len(bad):,} of {len(looked):,} pictures looked at do not decode: {bad[0]}",
                verdict="block",
                value=round(share, 4),
                remedy="Import the data again: luban data import leaves broken pictures out and lists them.",
            )
        )
    wanted = max(preparation.size)
    if sides and float(np.median(sides)) * SMALL <= wanted:
        findings.append(
            Finding(
                what=f"Half of the pictures have a side of {int(np.median(sides))} pixels or less; they are enlarged "
                f"to {wanted}",
                value=float(np.median(sides)),
                threshold=round(wanted / SMALL, 1),
                remedy="A small network that learns from nothing may do as well, and is far quicker.",
            )
        )
    if len(looked) < len(chosen):
        findings.append(
            Finding(
                what=f"whether the pictures decode was seen by {len(looked):,} of {len(present):,}",
                value=len(looked),
                remedy="Large pictures take long to read: the network sees them smaller, so they may be made smaller.",
            )
        )
    return findings


def _sides(reference: str) -> int | str:
    try:
        found = figures(content(reference))
    except LubanError as error:
        return f"{error.seen or error.happened}"
    return min(int(found["width"]), int(found["height"]))
