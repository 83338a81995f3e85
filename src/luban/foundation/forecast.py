"""What a training would take, measured on a few of its steps: seconds of one pass over the rows, and memory."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from luban.core.errors import Unsupported
from luban.core.protocols import Examples, Forecast, Unsuitable
from luban.foundation.setup import choose, set_up
from luban.foundation.training import device, precision, state
from luban.foundation.training.loss import Loss
from luban.foundation.training.memory import Peak, held, resident, room_beside_the_machine
from luban.foundation.training.optimizer import optimizer
from luban.foundation.training.order import by_length, shuffled
from luban.foundation.training.probe import PENALTIES, Problem, Vectors, joined
from luban.foundation.way import Repeating, Solving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.core.budget import Effort
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.setup import Setup
    from luban.foundation.training.work import Work
    from luban.foundation.way import Way

PROBES = 16
_WARMING = 2
_SAMPLE = 4096
# Rows that tell whether there is time for whole batches, and the fewest steps that are tried of these.
_FEW, _LEAST_STEPS = 2, 5
_SECONDS = 20.0
# Where importing took the time, steps are tried for so long all the same: a worker that imports once has imported for
# the fits too, and steps on two rows tell little of whole batches.
_LEAST = 1.5
# A training is worth beginning where so much of one pass over the rows can be made: its rate falls with the time.
_LEAST_PASS = 0.5


def forecast(
    backbone: Backbone,
    way: str,
    task: Task,
    columns: Sequence[str],
    training: Examples,
    *,
    parameters: Mapping[str, Any],
    effort: Effort,
    augmentation: Mapping[str, Any] | None = None,
) -> Forecast | Unsuitable:
    """Return what one pass over the training rows would take, and the memory at the worst moment.

    Parameters
    ----------
    backbone : Backbone
        It is taken over, as by `adapt`: load another for the training.
    parameters : mapping
        As for `adapt`.
    effort : Effort
        At most 20 s of it are spent, on at most 16 steps; 1.5 s where there is less.

    Notes
    -----
    Two rows tell whether there is time for whole batches; where there is not, parts of them are tried. Steps are tried
    on batches as the loop would make them: some of the middle size to warm up, then the longest, which
    shows the memory, then others. Seconds are fitted to ``a + b * steps`` by rows times length over the others and
    the middle one once it is warm. Of very many rows 4,096 are looked at. Where a way solves for a linear head, a
    solution on the rows that were read tells how long that takes.
    """
    try:
        chosen, options, settings, reading = choose(backbone, way, task, parameters)
    except Unsupported as error:
        return Unsuitable(error.seen or error.happened)
    begun = time.monotonic()
    rows = len(training.table)
    sample = _sample(training, effort.seed)
    with device.threads(effort.threads), device.room_told():
        with Peak(device.here().device) as peak:
            setup = set_up(
                backbone,
                chosen,
                task,
                columns,
                sample,
                None,
                options=options,
                settings=settings,
                reading=reading,
                effort=effort,
                augmentation=augmentation,
            )
            prepared = time.monotonic() - begun
            measured = _measure(setup, chosen, max(_LEAST, min(_SECONDS, 0.5 * effort.remaining)))
        share = rows / max(1, len(sample.table))
        kept = sum(one.nbytes for one in state.changing(setup.work.network).values())
        room = room_beside_the_machine(setup.work.place.device)
        grown = int((share - 1.0) * sum(setup.work.examples.rows.lengths) * 24)
    seconds = measured.seconds * share + prepared
    # Beside gradients, which are as large as what is trained, a whole batch takes more than a part of one.
    computing = int(peak.bytes + max(0, peak.bytes - measured.resting - kept) * (1 / measured.share - 1) + kept)
    return Forecast(
        seconds=seconds,
        memory=computing + (grown if room is None else 0),
        note=f"{measured.count} steps of up to {measured.longest:,} steps by rows on {setup.work.place.device.type} in "
        f"{measured.precision}: {rows / max(seconds, 1e-9):,.0f} rows a second{told(chosen, options, rows)}",
        least=prepared + _LEAST_PASS * measured.seconds * share if setup.work.applied.parameters else None,
        room=room,
        host=0 if room is None else resident() + grown,  # all rows wait in the machine's memory
    )


def told(way: Way, options: Any, rows: int) -> str:
    """Return in words how often a way would pass over the rows; nothing where its options do not say."""
    if not isinstance(way, Repeating):
        return ""
    return f"; it passes over the rows up to {way.passes(options, rows)} times, as the time allows"


def _sample(training: Examples, seed: int) -> Examples:
    if len(training.table) <= _SAMPLE:
        return training
    rows = np.sort(np.random.default_rng([seed, 6]).choice(len(training.table), _SAMPLE, replace=False))
    weight = None if training.weight is None else training.weight[rows]
    return Examples(table=training.table.take(rows), target=training.target[rows], weight=weight)


@dataclass(frozen=True)
class Measured:
    """What the probe steps told.

    Attributes
    ----------
    seconds : float
        Of one pass over the sample.
    count : int
        Steps tried.
    longest : int
        Rows times length of the largest batch.
    precision : str
    share : float
        Of the largest batch's rows that were tried.
    resting : int
        Bytes held between two steps.
    """

    seconds: float
    count: int
    longest: int
    precision: str
    share: float
    resting: int


def _measure(setup: Setup, way: Way, allowed: float) -> Measured:
    work = setup.work
    lengths = work.examples.rows.lengths
    learns = bool(work.applied.parameters)
    batch = work.training.batch
    batches = shuffled(lengths, batch, seed=work.effort.seed, epoch=0) if learns else list(by_length(lengths, 64))
    sizes = np.array([int(lengths[one].max()) * len(one) for one in batches])
    order = np.argsort(-sizes, kind="stable")
    middle = int(order[len(order) // 2])
    spread = np.linspace(0, len(order) - 1, PROBES - _WARMING - 3).round().astype(int)
    others = [int(order[one]) for one in np.random.default_rng(0).permutation(np.unique(spread))]
    longest = int(order[0])
    places = [*[middle] * (_WARMING + 1), longest, *(one for one in others if one != longest)]
    step: Stepping | Reading = Stepping(work, precision="float32") if learns else Reading(work)
    cut, tried_few = _cut(step, batches[middle], len(batches[longest]), work, allowed)
    if learns and cut >= len(batches[longest]):  # to find out which arithmetic is quicker takes as long as some steps
        step = Stepping(work, precision=precision.chosen(work))
    resting = held(work.place.device)
    seen: dict[int, float] = {}
    count = 0
    begun = time.monotonic()
    for number, place in enumerate(places):
        started = time.perf_counter()
        step(batches[place][:cut])
        device.wait(work.place.device)
        count += 1
        # The first ones warm caches up and make the optimizer's state; the longest, of which there are few, shows the
        # memory, and takes more than its share where attention is quadratic.
        if number >= _WARMING and (place != longest or longest == middle):
            seen[place] = min(seen.get(place, np.inf), time.perf_counter() - started)
        if number > _WARMING and time.monotonic() - begun > allowed:
            break
    tried = [int(lengths[batches[place][:cut]].max()) * len(batches[place][:cut]) for place in seen]
    taken = np.array(list(seen.values()))
    if cut < len(batches[longest]):
        # Parts of one size would not tell what a step takes whatever its rows are, and a whole batch would seem to take
        # as many times that as it has parts.
        tried.append(int(lengths[batches[middle][:_FEW]].max()) * len(batches[middle][:_FEW]))
        taken = np.append(taken, tried_few)
    seconds = float(fitted(np.array(tried, dtype=np.float64), taken, sizes.astype(np.float64)).sum())
    if isinstance(step, Reading) and isinstance(way, Solving):
        seconds += way.solutions(work.options) * step.solving(len(lengths))
    rows = len(batches[longest])
    return Measured(seconds, count, int(sizes[longest]), step.precision, share=min(cut, rows) / rows, resting=resting)


def _cut(step: Stepping | Reading, batch: np.ndarray, rows: int, work: Work, allowed: float) -> tuple[int, float]:
    """Return how many rows of each batch there is time to try (all where no clock counts), and the seconds of a few."""
    if not math.isfinite(work.deadline):  # what was tried decides on memory, and the machine's speed must not
        return rows, 0.0
    few = batch[:_FEW]
    taken = 0.0
    for _ in range(2):  # the first one makes what all others use
        started = time.perf_counter()
        step(few)
        device.wait(work.place.device)
        taken = time.perf_counter() - started
    fitting = int(len(few) * allowed / (_LEAST_STEPS * max(taken, 1e-9)))
    return (rows if fitting >= rows else max(_FEW, fitting)), taken


def fitted(sizes: np.ndarray, seconds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the seconds of batches of the sizes wanted, by a line through what was measured with no part below zero.

    Examples
    --------
    >>> fitted(np.array([1.0, 3.0]), np.array([3.0, 5.0]), np.array([2.0])).round(6).tolist()
    [4.0]
    """
    from scipy.optimize import nnls

    # Relative errors count: a short batch must be as right as a long one.
    scale = 1.0 / np.maximum(seconds, 1e-9)
    design = np.column_stack([np.ones_like(sizes), sizes]) * scale[:, None]
    line, _ = nnls(design, np.ones_like(seconds))
    return np.asarray(line[0] + line[1] * wanted)


class Stepping:
    """One whole step of training."""

    def __init__(self, work: Work, *, precision: str) -> None:
        self._work = work
        self.precision = precision
        self._loss = Loss(work.network, work.objective, self.precision)
        self._optimizer = optimizer(work)
        state.learning_mode(work.network)

    def __call__(self, rows: np.ndarray) -> None:
        """Train on these rows, at a rate of nothing."""
        work = self._work
        for part in np.array_split(rows, min(work.training.accumulate, len(rows))):
            tensors = work.place.put(work.examples.rows.batch(part, turn=(0, 0)))
            target = work.examples.target[torch.from_numpy(part)].to(work.place.device)
            loss = self._loss(tensors, target) / len(rows)
            penalty = work.applied.penalty()
            (loss if penalty is None else loss + penalty).backward()
        for group in self._optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], work.training.clip)
            group["lr"] = 0.0
        self._optimizer.step()
        work.applied.stepped(0.0)
        self._optimizer.zero_grad(set_to_none=True)


class Reading:
    """One batch through a body that does not learn."""

    precision = "float32"

    def __init__(self, work: Work) -> None:
        self._work = work
        self._read: list[tuple[np.ndarray, torch.Tensor]] = []
        work.network.eval()

    def __call__(self, rows: np.ndarray) -> None:
        """Compute what the head reads of these rows."""
        with torch.inference_mode():
            tensors = self._work.place.put(self._work.examples.rows.batch(rows))
            head = self._work.network.head
            self._read.append((rows, head.vectors(self._work.network.encode(tensors), tensors).float().cpu()))

    def solving(self, rows: int) -> float:
        """Return the seconds that it takes to solve for the head on so many rows, by those that were read."""
        read = Vectors(joined([one for _, one in self._read]), np.concatenate([one for one, _ in self._read]))
        problem = Problem(self._work, read)
        problem.solve(PENALTIES[2], np.arange(problem.count))
        return problem.slowest * rows / problem.count
