"""Which arithmetic is the faster one here: tried on a batch, not guessed, where time is what counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from luban.foundation.training import device, state

if TYPE_CHECKING:
    from luban.foundation.training.work import Work

# Rows that are tried: enough to tell, few enough to cost little beside a step.
_TRIED = 4


def chosen(work: Work) -> str:
    """Return the precision asked for, or the faster of both on a batch of usual length; the network stays as it is.

    Where work is counted in steps nothing is measured, as the same seed must give the same weights: bfloat16 is taken
    where the processor has it.
    """
    if work.training.precision != "auto":
        return work.training.precision
    if not math.isfinite(work.deadline):
        return "bfloat16" if device.may_be_faster(work.place.device) else "float32"
    lengths = work.examples.rows.lengths
    usual = np.argsort(np.abs(lengths - np.median(lengths)), kind="stable")[: min(work.training.batch, _TRIED)]
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
