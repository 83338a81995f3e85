"""What each step of a training computes, made ready while the step before is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.foundation.training.order import shuffled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    import torch

    from luban.foundation.training.work import Work


@dataclass(frozen=True)
class Part:
    """What one process computes at once: rows, their tensors, and 0 where they do not count."""

    rows: np.ndarray
    tensors: dict[str, torch.Tensor]
    counts: float


def batches(work: Work, step: int, per_epoch: int, ahead: Executor) -> Iterator[tuple[np.ndarray, list[Part]]]:
    """Yield (rows, parts) of each step from this one on, for ever; the next one is prepared meanwhile.

    Parameters
    ----------
    per_epoch : int
        Steps in which each row is seen once.
    ahead : Executor
        Of the thread that prepares.
    """

    def prepared(place: int) -> tuple[np.ndarray, list[Part]]:
        epoch, number = divmod(place, per_epoch)
        if epoch not in orders:
            orders.clear()
            orders[epoch] = shuffled(
                work.examples.rows.lengths, work.training.batch, seed=work.effort.seed, epoch=epoch
            )
        rows = orders[epoch][number]
        return rows, _parts(work, rows, epoch, number)

    orders: dict[int, list[np.ndarray]] = {}
    coming = ahead.submit(prepared, step)
    while True:
        current = coming.result()
        step += 1
        coming = ahead.submit(prepared, step)
        yield current


def _parts(work: Work, rows: np.ndarray, epoch: int, number: int) -> list[Part]:
    """Return what this process computes of a step: as many parts as each of its fellows."""
    place = work.place
    own = rows[place.rank :: place.processes]
    counts = 1.0
    if not len(own):  # fewer rows than processes: take part without a say
        own, counts = rows[:1], 0.0
    pieces = np.array_split(own, min(work.training.accumulate, max(1, len(rows) // place.processes)))
    batch = work.examples.rows.batch
    turns = ((epoch, number, place.rank, piece) for piece in range(len(pieces)))
    return [Part(one, batch(one, turn=turn), counts) for one, turn in zip(pieces, turns, strict=True)]
