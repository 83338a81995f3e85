"""Which rows make a batch: shuffled, yet of similar length, so that little of a batch is padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_POOL = 50


def shuffled(lengths: np.ndarray, batch: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the rows of each batch of one epoch.

    The rows are shuffled, cut into pools of 50 batches, sorted by length within each pool (equal lengths stay shuffled)
    and cut into batches, whose order is shuffled again. The same seed and epoch give the same order.
    """
    generator = np.random.default_rng([seed, epoch])
    rows = generator.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(rows), batch * _POOL):
        pool = rows[start : start + batch * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches.extend(pool[place : place + batch] for place in range(0, len(pool), batch))
    return [batches[place] for place in generator.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """Yield all rows in batches from the longest to the shortest: for evaluation, where order does not matter."""
    rows = np.argsort(-lengths, kind="stable")
    for start in range(0, len(rows), batch):
        yield rows[start : start + batch]
