"""Learning further from new rows: how many it takes, which of them judge, and old ones among them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.core.protocols import Examples

FEWEST = 20
"""Rows below which nothing is learnt."""

HELD = 0.2
"""Share of the rows, the last, that tells when to stop."""


def part(examples: Examples, start: int, end: int) -> Examples:
    """Return the rows from `start` and before `end`."""
    return replace(
        examples,
        table=examples.table.slice(start, end - start),
        target=examples.target[start:end],
        weight=None if examples.weight is None else examples.weight[start:end],
    )


def mixed_with(examples: Examples, replay: Examples | None) -> Examples:
    """Return new and old rows together."""
    import numpy as np
    import pyarrow as pa

    if replay is None or not len(replay.target):
        return examples
    both = (examples, replay)
    weights = [np.ones(len(one.target)) if one.weight is None else one.weight for one in both]
    targets = [one.target for one in both]
    if targets[0].ndim == 2:  # texts of more and of fewer words
        most = max(one.shape[1] for one in targets)
        targets = [np.pad(one, ((0, 0), (0, most - one.shape[1])), constant_values=-1) for one in targets]
    return replace(
        examples,
        table=pa.concat_tables([examples.table, replay.table.cast(examples.table.schema)]),
        target=np.concatenate(targets),
        weight=np.concatenate(weights),
    )
