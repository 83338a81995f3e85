"""A linear head on vectors that were computed once: a convex problem, solved rather than trained."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from luban.core.errors import InputError, OutOfTime
from luban.foundation.heads.objective import criterion
from luban.foundation.training.device import arithmetic
from luban.foundation.training.work import Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.foundation.backbone import Encoded
    from luban.foundation.heads.head import Head
    from luban.foundation.training.rows import Rows
    from luban.foundation.training.work import Work

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 4
_FIT_SHARE = 0.25
_ITERATIONS = 60
# The penalty leaves a direction and hardly a length: a head that fits the rows that the body is to learn from has taken
# from them what they could teach it, and is sure of what is chance.
_START_ROWS, _START_FEWEST, _START_PENALTY = 2000, 8, 10.0


@dataclass(frozen=True)
class Vectors:
    """What a head reads of some rows.

    Attributes
    ----------
    values : torch.Tensor
        float32, shape (n, d), or (n, W, d) for words.
    rows : numpy.ndarray
        Which rows they are of.
    """

    values: torch.Tensor
    rows: np.ndarray


def vectors(work: Work, rows: Rows, deadline: float, *, batch: int = 64, most: int | None = None) -> Vectors:
    """Return what the head reads of the rows, of as many as there is time for; chosen at random if not of all."""
    network = work.network
    network.eval()
    order = np.random.default_rng([work.effort.seed, 3]).permutation(len(rows))[:most]
    pools = [order[start : start + 16 * batch] for start in range(0, len(order), 16 * batch)]
    found: list[torch.Tensor] = []
    done: list[np.ndarray] = []
    slowest = 0.0
    with torch.inference_mode():
        for pool in pools:
            sorted_pool = pool[np.argsort(-rows.lengths[pool], kind="stable")]
            for start in range(0, len(sorted_pool), batch):
                chosen = sorted_pool[start : start + batch]
                begun = time.monotonic()
                if done and begun + slowest > deadline:
                    break
                tensors = work.place.put(rows.batch(chosen))
                encoded: Encoded = network.encode(tensors)
                found.append(network.head.vectors(encoded, tensors).float().cpu())
                done.append(chosen)
                slowest = max(slowest, time.monotonic() - begun)
    if any(not bool(torch.isfinite(one).all()) for one in found):
        raise InputError(
            "the body gives vectors that are no numbers",
            remedy="Its weights are damaged, or the learning rate was too high: try a tenth of it.",
        )
    return Vectors(joined(found), np.concatenate(done) if done else np.zeros(0, dtype=np.int64))


def solutions(penalty: float | None) -> int:
    """Return how often the problem is solved at most: once where the penalty is known, else in cross-validation."""
    return 1 if penalty is not None else 1 + _FOLDS * len(PENALTIES)


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the vectors of several batches as one tensor, those of words padded to the most words."""
    if parts and parts[0].dim() == 3:
        longest = max(one.shape[1] for one in parts)
        parts = [torch.nn.functional.pad(one, (0, 0, 0, longest - one.shape[1])) for one in parts]
    return torch.cat(list(parts)) if parts else torch.zeros((0, 0))


def probe(work: Work, *, penalty: float | None) -> None:
    """Fit the head of ``work.network`` on the body's vectors.

    Parameters
    ----------
    penalty : float, optional
        Of the squared weights for standardised vectors, per row; by default the best on the validation rows, or in
        cross-validation where there are none.
    """
    started = time.monotonic()
    remaining = work.deadline - started
    have = len(work.examples.rows)
    held = 0 if work.validation is None else len(work.validation.rows)
    # Reading takes nearly all the time; validation rows get the share that they have of all rows.
    reading = started + (1.0 - _FIT_SHARE) * remaining
    own = vectors(work, work.examples.rows, started + (reading - started) * have / max(1, have + held))
    if not len(own.rows):
        raise OutOfTime("there was no time to read a single batch", remedy="Give more time.")
    other = None if work.validation is None else vectors(work, work.validation.rows, reading)
    if len(own.rows) < have:
        work.notes.append(f"there was time to read {len(own.rows):,} of {have:,} rows")
    problem = Problem(work, own)
    losses = {} if penalty is not None else _compare(problem, work, other)
    chosen = penalty if penalty is not None else min(losses, key=lambda one: losses[one])
    problem.solve(chosen, np.arange(len(own.rows)))
    problem.put_into(work.network.head)
    judged, loss = problem.judge(work, other) if other is not None and len(other.rows) else (None, None)
    seconds = max(time.monotonic() - started, 1e-9)
    before = work.history[-1].step if work.history else 0
    work.history.append(
        Point(
            step=before + 1,
            epoch=1.0,
            # Where the body has learnt first, by another loss, the two make no curve.
            training=None if before else problem.final,
            validation=loss,
            criterion=judged,
            rate=0.0,
            speed=len(own.rows) / seconds,
        )
    )
    if work.report is not None and judged is not None:
        work.report(before + 1, judged)
    work.learned["penalty"] = chosen
    work.network.eval()


def _compare(problem: Problem, work: Work, other: Vectors | None) -> dict[float, float]:
    """Return the criterion of each penalty; from the largest to the smallest, as each starts from the one before."""
    losses: dict[float, float] = {}
    rows = np.arange(problem.count)
    for penalty in sorted(PENALTIES, reverse=True):
        if losses and time.monotonic() + 2 * problem.slowest > work.deadline:
            break
        if other is not None and len(other.rows):
            problem.solve(penalty, rows)
            losses[penalty] = problem.judge(work, other)[0]
        else:
            losses[penalty] = _crossed(problem, penalty, work)
    return losses


def _crossed(problem: Problem, penalty: float, work: Work) -> float:
    parts = np.array_split(np.random.default_rng([work.effort.seed, 4]).permutation(problem.count), _FOLDS)
    if problem.count < 2 * _FOLDS:
        return abs(math.log10(penalty) + 1.0)  # too few rows to tell: the middle of the grid's strong half
    total = 0.0
    for place, part in enumerate(parts):
        rest = np.concatenate([one for number, one in enumerate(parts) if number != place])
        problem.solve(penalty, rest)
        total += problem.loss_of(part, work)
    return total / _FOLDS


def start(work: Work, precision: str) -> int:
    """Let the head begin as a linear probe of some rows rather than from nothing (Kumar and others 2022).

    It then asks the body for what is missing, not for all at once. At most 2,000 rows and a twentieth of the time, in
    the arithmetic of the training: what its rows take tells what an evaluation will take.

    Returns
    -------
    int
        How many steps of rows (tokens, patches) the body computed for it.
    """
    allowed = 0.05 * (work.deadline - time.monotonic())
    with arithmetic(work.place.device, precision):
        own = vectors(work, work.examples.rows, time.monotonic() + allowed, most=_START_ROWS)
    if len(own.rows) >= _START_FEWEST:
        problem = Problem(work, own)
        problem.solve(_START_PENALTY, np.arange(len(own.rows)))
        problem.put_into(work.network.head)
    return int(work.examples.rows.lengths[own.rows].sum())


class Problem:
    """The loss of a linear head over fixed vectors.

    Vectors are standardised, so that one penalty suits all entries; `put_into` writes the head for the plain ones.
    """

    def __init__(self, work: Work, own: Vectors) -> None:
        index = torch.from_numpy(own.rows)
        self.objective = work.objective
        self.target = work.examples.target[index]
        self.weight = None if work.examples.weight is None else work.examples.weight[index]
        self.values = own.values
        self.count = len(own.rows)
        flat = self.values.reshape(-1, self.values.shape[-1])
        self.mean = flat.mean(dim=0)
        self.spread = flat.std(dim=0, correction=0).clamp(min=1e-6)
        self.values = (self.values - self.mean) / self.spread
        head = work.network.head
        self.weights = torch.zeros((head.linear.out_features, self.values.shape[-1]), requires_grad=True)
        self.bias = head.linear.bias.detach().cpu().clone().requires_grad_()
        self.centre, self.unit = head.centre.cpu(), head.spread.cpu()
        self.final = math.nan
        self.slowest = 0.0

    def margins(self, values: torch.Tensor) -> torch.Tensor:
        """Return the margins of standardised vectors."""
        return (values @ self.weights.T + self.bias) * self.unit + self.centre

    def solve(self, penalty: float, rows: np.ndarray) -> None:
        """Minimise loss and penalty by L-BFGS (Liu and Nocedal 1989), from where the weights are."""
        begun = time.monotonic()
        index = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        values, target = self.values[index], self.target[index]
        weight = None if self.weight is None else self.weight[index]
        counted = self.objective.weights(target)
        total = float((counted if weight is None else counted * weight).sum()) or 1.0
        solver = torch.optim.LBFGS(
            [self.weights, self.bias], max_iter=_ITERATIONS, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
        )

        def closure() -> torch.Tensor:
            solver.zero_grad()
            losses = self.objective.losses(self.margins(values), target)
            loss: torch.Tensor = (losses if weight is None else losses * weight).sum() / total
            self.final = float(loss.detach())
            whole = loss + 0.5 * penalty * self.weights.square().sum() / self.weights.shape[0]
            whole.backward()
            return whole

        solver.step(closure)
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def judge(self, work: Work, other: Vectors) -> tuple[float, float]:
        """Return (criterion, loss) on the vectors of validation rows."""
        assert work.validation is not None
        with torch.inference_mode():
            found = self.margins((other.values - self.mean) / self.spread)
            return criterion(work.task, self.objective, found, work.validation.target[torch.from_numpy(other.rows)])

    def loss_of(self, rows: np.ndarray, work: Work) -> float:
        """Return the criterion on some of the own rows."""
        index = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        with torch.inference_mode():
            found = self.margins(self.values[index])
            return criterion(work.task, self.objective, found, self.target[index])[0]

    def put_into(self, head: Head) -> None:
        """Write the solution into a head, for vectors as the body gives them."""
        with torch.no_grad():
            plain = self.weights / self.spread
            head.linear.weight.copy_(plain)
            head.linear.bias.copy_(self.bias - plain @ self.mean)
