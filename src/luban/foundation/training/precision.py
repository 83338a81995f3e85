"""Which arithmetic is the faster one here: tried on a batch, not guessed, where time is what counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from luban.foundation.training import device, state

if TYPE_CHECKING:
    from luban.foundation.training.work import Work

# What is tried: enough to tell, and little beside what is saved. Each pass of bfloat16 begins with copies of all
# weights, which outweigh the products of a few short rows: on those alone float32 looks the faster one, although
# whole batches take twice the time with it. Of pictures, whose steps are not told here, some rows are enough.
_TRIED_ROWS, _TRIED_STEPS = 4, 1024


def chosen(work: Work) -> str:
    """Return the precision asked for, or the faster of both on a batch of usual length; the network stays as it is.

    Where work is counted in steps nothing is measured, as the same seed must give the same weights: bfloat16 is taken
    where the processor has it.
    """
    if work.training.precision != "auto":
        return work.training.precision
    if not math.isfinite(work.deadline):
        return "bfloat16" if device.may_be_faster(work.place.device) else "float32"
    usual = tried(work.examples.rows.lengths, work.training.batch)
    tensors = work.place.put(work.examples.rows.batch(usual))
    target = work.examples.target[torch.from_numpy(usual)].to(work.place.device)
    saved = state.kept(work.network)

    def trial() -> None:
        encoded = work.network.encode(tensors)
        vectors = work.network.head.vectors(encoded, tensors)
        found = work.network.head.margins(vectors.float())
        work.objective.losses(found, target).sum().backward()
        work.network.zero_grad(set_to_none=True)

    faster = device.measured(work.place.device, trial)
    state.put_back(work.network, saved)  # running statistics of batch norms
    return str(work.place.gathered(faster)[0])


def tried(lengths: np.ndarray, batch: int) -> np.ndarray:
    """Return rows of usual length that are like a batch in what they cost, or as many as hold about 1,024 steps.

    Parameters
    ----------
    lengths : numpy.ndarray
        Steps (tokens) of each row; 1 where they are not known.
    batch : int
        Rows a step of the training.
    """
    usual = float(np.median(lengths))
    count = _TRIED_ROWS if usual <= 1 else max(_TRIED_ROWS, math.ceil(_TRIED_STEPS / usual))
    chosen: np.ndarray = np.argsort(np.abs(lengths - usual), kind="stable")[: min(batch, count)]
    return chosen
