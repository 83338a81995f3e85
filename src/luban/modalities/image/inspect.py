"""What a network would see little of in some pictures, said before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.core.report import Finding
from luban.data.media import content
from luban.data.media.mapping import mapped
from luban.modalities.image.decode import figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.modalities.image.image_pixels import ImagePixels

MOST_ROWS = 200
SMALL = 3
"""A picture is small where the network takes so many times its shorter side."""


def inspect(preparation: ImagePixels, table: pa.Table) -> Sequence[Finding]:
    """Return findings on at most 200 pictures, spread evenly."""
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
    if len(present) > MOST_ROWS:
        present = present.take(pa.array(np.linspace(0, len(present) - 1, MOST_ROWS).astype(np.int64)))
    sides: list[int] = []
    bad: list[str] = []
    for found in mapped(_sides, present.to_pylist()):
        if isinstance(found, int):
            sides.append(found)
        else:
            bad.append(found)
    if bad:
        share = len(bad) / len(present)
        findings.append(
            Finding(
                what=f"{len(bad):,} of {len(present):,} pictures looked at do not decode: {bad[0]}",
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
    return findings


def _sides(reference: str) -> int | str:
    try:
        found = figures(content(reference))
    except LubanError as error:
        return f"{error.seen or error.happened}"
    return min(int(found["width"]), int(found["height"]))
