"""Few rows: let the body learn which texts belong together, then fit a head on its vectors.

The idea is SetFit's (Tunstall and others 2022, arXiv:2209.11055). There each pair of rows costs two passes through
the body; here a batch of rows holds several of each of several classes, and all its pairs are compared at once by the
supervised contrastive loss (Khosla and others 2020, arXiv:2004.11362): a batch of 16 rows has 120 pairs for the price
of 16 passes.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from luban.foundation.training import precision, state
from luban.foundation.training.clock import Clock
from luban.foundation.training.device import arithmetic
from luban.foundation.training.optimizer import optimizer
from luban.foundation.training.schedule import factor
from luban.foundation.training.work import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luban.foundation.training.work import Work

_TEMPERATURE = 0.1
_EACH = 4
_WORTH_TRYING = 60


def groups(target: np.ndarray, *, batch: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield batches that hold up to four rows of each of several classes; each row once, classes in random order.

    Parameters
    ----------
    target : numpy.ndarray
        Codes, shape (n,).
    """
    each = min(_EACH, max(2, batch // 2))
    pieces: list[np.ndarray] = []
    for code in np.unique(target):
        rows = generator.permutation(np.flatnonzero(target == code))
        pieces.extend(rows[start : start + each] for start in range(0, len(rows), each))
    order = generator.permutation(len(pieces))
    chosen: list[np.ndarray] = []
    for place in order:
        chosen.append(pieces[place])
        if sum(map(len, chosen)) >= batch:
            yield np.concatenate(chosen)
            chosen = []
    if chosen:
        yield np.concatenate(chosen)


def contrastive(vectors: torch.Tensor, target: torch.Tensor, temperature: float = _TEMPERATURE) -> torch.Tensor:
    """Return the supervised contrastive loss of a batch: 0 where no two rows are of one class.

    Parameters
    ----------
    vectors : torch.Tensor
        Shape (n, d), of any length.
    target : torch.Tensor
        int64, shape (n,).
    """
    unit = functional.normalize(vectors, dim=1)
    alike = unit @ unit.T / temperature
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    share = alike.masked_fill(itself, -math.inf).log_softmax(dim=1).masked_fill(itself, 0.0)
    same = (target[:, None] == target[None, :]) & ~itself
    counted = same.sum(dim=1)
    some = counted > 0
    if not bool(some.any()):
        return vectors.sum() * 0.0
    return -((share * same).sum(dim=1)[some] / counted[some]).mean()


def passes(rows: int, pairs: int, batch: int) -> int:
    """Return how often so many rows are passed over, so that about so many pairs are compared."""
    each = max(1, rows * (batch - 1) // 2)
    return max(1, min(20, round(pairs / each)))


def contrast(work: Work, *, pairs: int, batch: int) -> None:
    """Train the body so that rows of one class come to lie together.

    Parameters
    ----------
    pairs : int
        Most pairs that are compared; each pass over the rows compares about ``rows * batch / 2``.
    batch : int
        Rows compared at once.

    Notes
    -----
    At most three quarters of the time are spent here; what is left is for the head.
    """
    rows = work.examples.rows
    target = work.examples.target.numpy()
    network = work.network
    clock = Clock(work.deadline)
    reserve = 0.25 * clock.remaining if clock.timed else 0.0
    turns = passes(len(rows), pairs, batch)
    total = turns * max(1, math.ceil(len(rows) / batch))
    asked = work.training.precision
    # Trying both kinds of arithmetic takes the time of six steps.
    used = "float32" if asked == "auto" and total < _WORTH_TRYING else precision.chosen(work)
    solver = optimizer(work)
    state.learning_mode(network)
    step = bad = 0
    sums = [0.0, 0.0, 0.0]
    begun = time.monotonic()
    for turn in range(turns):
        generator = np.random.default_rng([work.effort.seed, 5, turn])
        for number, chosen in enumerate(groups(target, batch=batch, generator=generator)):
            progress = max(step / total, clock.progress(reserve))
            steps = int(rows.lengths[chosen].max()) * len(chosen)
            if progress >= 1.0 or not clock.has_room(steps, reserve):
                break
            started = time.perf_counter()
            rate = work.rate * factor(progress + 1.0 / total, work.training.warm_up)
            for group in solver.param_groups:
                group["lr"] = group["scale"] * rate
            tensors = work.place.put(rows.batch(chosen, turn=(turn, number, 0)))
            with arithmetic(work.place.device, used):
                encoded = network.encode(tensors)
            labels = work.examples.target[torch.from_numpy(chosen)].to(work.place.device)
            loss = contrastive(encoded.pooled.float(), labels)
            loss.backward()
            norm = float(torch.nn.utils.clip_grad_norm_(work.applied.parameters.values(), work.training.clip))
            if math.isfinite(norm):
                solver.step()
                sums = [sums[0] + float(loss.detach()), sums[1] + 1.0, sums[2] + rate]
            else:
                bad += 1
            solver.zero_grad(set_to_none=True)
            step += 1
            clock.took(time.perf_counter() - started, steps)
        if sums[1]:
            seconds = max(time.monotonic() - begun, 1e-9)
            speed = step * batch / seconds
            # The mean rate: that of the last step of all is none.
            mean, rate = sums[0] / sums[1], sums[2] / sums[1]
            work.history.append(Point(step=step, epoch=turn + 1.0, training=mean, rate=rate, speed=speed))
            sums = [0.0, 0.0, 0.0]
    if bad:
        work.notes.append(f"{bad} of {step} steps were left out: their gradient was no number")
    network.eval()
