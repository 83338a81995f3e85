"""The loop: steps, evaluations, checkpoints, until the work is done, nothing gets better or the time is up."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from luban.core.errors import InputError, OutOfTime
from luban.foundation.curves import shorten
from luban.foundation.heads.objective import criterion
from luban.foundation.training import checkpoint, precision, state
from luban.foundation.training.batches import batches
from luban.foundation.training.clock import FORWARD, Clock
from luban.foundation.training.evaluate import margins
from luban.foundation.training.loss import Loss, mixing
from luban.foundation.training.optimizer import optimizer
from luban.foundation.training.probe import start
from luban.foundation.training.resume import fingerprint, resume, save
from luban.foundation.training.schedule import factor
from luban.foundation.training.work import Point

if TYPE_CHECKING:
    from luban.foundation.training.batches import Part
    from luban.foundation.training.work import Work

_EVALUATION_SHARE = 0.1
_MOST_FOR_THE_LAST = 0.25
_LONG_EPOCH = 500
_BAD_IN_A_ROW = 5
_BAD_IN_ALL = 25
_CHECKPOINT_SECONDS = 20.0
_CHECKPOINT_SHARE = 0.05


class Loop:
    """One training under way.

    Its position, the best state and the curves are what a checkpoint holds; from one, the training goes on as if it
    had never stopped: where work is counted in steps, to the same bits.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        training = work.training
        rows = len(work.examples.rows)
        self.per_epoch = max(1, math.ceil(rows / training.batch))
        self.total = max(1, math.ceil(training.passes(rows) * self.per_epoch - 1e-9))
        self.end = self.total
        if training.stop is not None:
            self.end = min(self.total, max(1, math.ceil(training.stop * self.per_epoch - 1e-9)))
        self.step = 0
        self.best: tuple[float, int] | None = None
        self.best_state: dict[str, torch.Tensor] = {}
        self.worse = 0
        self.slowed = 1.0
        self.bad = [0, 0]
        self.precision: str = training.precision
        self.running = [0.0, 0.0]
        self.since = [0.0, 0]
        self.over = False
        self.progress = 0.0
        self._probe_seconds = 0.0
        self.clock = Clock(work.deadline)
        self.last_evaluation = 0.0
        self.last_checkpoint = time.monotonic()
        self.checkpoint_cost = 0.0
        self.validation_rows: np.ndarray | None = None

    def run(self) -> None:
        """Train, and leave the best state in the network."""
        work = self.work
        torch.manual_seed(work.effort.seed + work.place.rank)
        network = work.place.wrap(work.network) if work.place.processes == 1 else work.network
        saved = checkpoint.read(work.effort.checkpoint)
        resumed = saved is not None and saved[1].get("work") == fingerprint(work)
        state.learning_mode(network)
        if resumed and saved is not None:
            self.precision = saved[1]["precision"]
        elif self.precision == "auto":
            self.precision = precision.chosen(work)
            torch.manual_seed(work.effort.seed + work.place.rank)
        if work.training.probe_first and not resumed:
            begun = time.monotonic()
            steps = start(work, self.precision)
            self._probe_seconds = time.monotonic() - begun
            self.clock.unit = self._probe_seconds / max(steps, 1) / FORWARD
            state.learning_mode(network)
        self.loss = Loss(work.network, work.objective, self.precision)
        self.wrapped = self.loss if work.place.processes == 1 else self._shared(self.loss)
        self.optimizer = optimizer(work)
        if resumed and saved is not None:
            resume(self, *saved)
        elif work.training.probe_first and not work.place.any(flag=self._probe_seconds >= 0.05 * self.clock.remaining):
            self._evaluate(0.0)  # what the head knows before the body learns is the first state to beat
        with ThreadPoolExecutor(1) as ahead:
            coming = batches(work, self.step, self.per_epoch, ahead)
            while not self.over and self.step < self.end:
                self._advance(*next(coming))
        self._finish()

    # --- one step ---------------------------------------------------------------------------------

    def _advance(self, rows: np.ndarray, parts: list[Part]) -> None:
        work = self.work
        steps = int(work.examples.rows.lengths[rows].max()) * len(rows)
        reserve = self._reserve()
        if work.place.any(flag=not self.clock.has_room(steps, reserve)):
            self.over = True
            return
        started = time.perf_counter()
        progress = max(self.step / self.total, work.place.largest(self.clock.progress(reserve)))
        if progress >= 1.0 and self.step > 0:
            self.over = True
            return
        rate = self._set_rate(progress)
        self.progress = max(progress, (self.step + 1) / self.total)
        total = self._gradients(rows, parts)
        norm = float(torch.nn.utils.clip_grad_norm_(self.trained(), work.training.clip))
        if math.isfinite(norm) and math.isfinite(total):
            self.optimizer.step()
            work.applied.stepped(progress)
            self.bad[0] = 0
            self.running = [self.running[0] + total, self.running[1] + 1.0]
        else:
            self._skip()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        seconds = time.perf_counter() - started
        self.since = [self.since[0] + seconds, self.since[1] + len(rows)]
        if self.step > 1:  # the first one also warms caches up
            self.clock.took(seconds, steps)
        self._look(rate)

    def _gradients(self, rows: np.ndarray, parts: list[Part]) -> float:
        """Compute the gradients of a step's mean loss and return that loss."""
        work = self.work
        examples = work.examples
        index = torch.from_numpy(rows)
        whole = work.objective.weights(examples.target[index])
        if examples.weight is not None:
            whole = whole * examples.weight[index]
        share = work.place.processes / max(float(whole.sum()), 1e-12)
        draw = np.random.default_rng([work.effort.seed, 1, self.step, work.place.rank])
        if work.place.processes > 1:
            # Each process drops other values out, and the same ones again when the training goes on from a checkpoint,
            # which the first of them writes without asking the others where their generators are.
            own = np.random.SeedSequence([work.effort.seed, 2, self.step, work.place.rank])
            torch.manual_seed(int(own.generate_state(1)[0]))
        total = 0.0
        for part in parts:
            chosen = torch.from_numpy(part.rows)
            target = examples.target[chosen].to(work.place.device)
            weight = None if examples.weight is None else examples.weight[chosen].to(work.place.device)
            mix = mixing(work.training.mixup, len(chosen), draw, work.place.device)
            loss = self.wrapped(work.place.put(part.tensors), target, weight, mix) * (share * part.counts)
            penalty = work.applied.penalty()
            if penalty is not None:
                loss = loss + penalty / len(parts)
            loss.backward()
            total += float(loss.detach())
        return work.place.mean(total)

    def trained(self) -> list[torch.nn.Parameter]:
        """Return the weights that steps change, in the order of the optimizer's groups."""
        return [one for group in self.optimizer.param_groups for one in group["params"]]

    def _set_rate(self, progress: float) -> float:
        share = factor(progress, self.work.training.warm_up)
        if self.step == 0 and share == 0.0:
            share = 0.5 / max(1.0, self.work.training.warm_up * self.total)  # the first step must not be lost
        largest = 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = self.work.rate * group["scale"] * share * self.slowed
            largest = max(largest, group["lr"])
        return largest

    def _skip(self) -> None:
        """Leave a step out whose gradient is no number: halve the rate, and stop after several."""
        self.slowed *= 0.5
        self.bad = [self.bad[0] + 1, self.bad[1] + 1]
        if self.bad[0] < _BAD_IN_A_ROW and self.bad[1] < _BAD_IN_ALL:
            return
        self.over = True
        self.work.notes.append(
            f"training stopped at step {self.step + 1:,}: the loss was no number {self.bad[1]} times, the last "
            f"{self.bad[0]} in a row, although the rate was halved each time; the best state before that is kept"
        )

    # --- looking around ---------------------------------------------------------------------------

    def _look(self, rate: float) -> None:
        """Evaluate, record and write a checkpoint where it is time for it."""
        if self._due():
            self._evaluate(rate)
        elif self.step % max(1, min(self.total // 40, 50)) == 0:
            self._record(rate)
        if self.work.effort.checkpoint is not None and self.work.place.first and not self.over:
            waited = time.monotonic() - self.last_checkpoint
            if waited >= max(_CHECKPOINT_SECONDS, self.checkpoint_cost / _CHECKPOINT_SHARE):
                begun = time.monotonic()
                save(self)
                self.last_checkpoint = time.monotonic()
                self.checkpoint_cost = self.last_checkpoint - begun

    def _due(self) -> bool:
        if self.work.validation is None or self.over:
            return False
        if not self.clock.timed:
            return self.step % min(self.per_epoch, _LONG_EPOCH) == 0 or self.step == self.end
        waited = self.clock.elapsed - self.last_evaluation
        cost = self.clock.evaluating(self._validation_steps())
        whole = self.clock.elapsed + self.clock.remaining
        due = waited >= cost / _EVALUATION_SHARE and (waited >= whole / 10 or self.step % self.per_epoch == 0)
        return self.work.place.any(flag=due)

    def _evaluate(self, rate: float) -> None:
        work = self.work
        if work.validation is None:
            return
        started = time.monotonic()
        self._choose_validation()
        chosen = self.validation_rows
        try:
            found = margins(
                work.network,
                work.validation.rows,
                work.place,
                chosen=chosen,
                precision=self.precision,
                until=self.clock.deadline,
            )
        except OutOfTime:
            self.over = True  # the best state so far stays
            return
        target = work.validation.target if chosen is None else work.validation.target[torch.from_numpy(chosen)]
        judged, loss = criterion(work.task, work.objective, found, target)
        state.learning_mode(work.network)
        self.clock.evaluation = time.monotonic() - started
        self.last_evaluation = self.clock.elapsed
        if math.isfinite(judged) and (self.best is None or judged < self.best[0]):
            self.best = (judged, self.step)
            self.best_state = state.kept(work.network)
            self.worse = 0
        else:
            self.worse += 1
        self._record(rate, validation=loss, criterion=judged)
        if self.worse >= work.training.patience:
            self.over = True
        if work.report is not None and work.place.first and not work.report(self.step, judged):
            self.over = True
        self.over = work.place.any(flag=self.over)

    def _choose_validation(self) -> None:
        """Look at a part of many validation rows only, so that evaluations take a small share of a short time."""
        if self.validation_rows is not None or self.work.validation is None or not self.clock.timed:
            return
        rows = len(self.work.validation.rows)
        cost = self.clock.evaluating(int(self.work.validation.rows.lengths.sum()))
        allowed = 0.03 * (self.clock.elapsed + max(self.clock.remaining, 0.0))
        count = self.work.place.gathered(max(min(rows, 50), int(rows * allowed / max(cost, 1e-9))))[0]
        if count < rows:
            draw = np.random.default_rng([self.work.effort.seed, 2])
            self.validation_rows = np.sort(draw.choice(rows, count, replace=False))

    def _validation_steps(self) -> int:
        if self.work.validation is None:
            return 0
        lengths = self.work.validation.rows.lengths
        return int(lengths.sum() if self.validation_rows is None else lengths[self.validation_rows].sum())

    def _reserve(self) -> float:
        """Return the seconds kept for the last evaluation."""
        if not self.clock.timed or self.work.validation is None:
            return 0.0
        if self.clock.unit and self.work.place.processes == 1:
            self._choose_validation()
        guess = self.clock.evaluating(self._validation_steps())
        whole = self.clock.elapsed + max(self.clock.remaining, 0.0)
        return 1.3 * min(guess, _MOST_FOR_THE_LAST * whole) + 0.05

    def _record(self, rate: float, *, validation: float | None = None, criterion: float | None = None) -> None:
        seconds, rows = self.since
        self.work.history.append(
            Point(
                step=self.step,
                epoch=self.step / self.per_epoch,
                training=self.running[0] / self.running[1] if self.running[1] else None,
                validation=validation,
                criterion=criterion,
                rate=rate,
                speed=rows / seconds if seconds else 0.0,
            )
        )
        shorten(self.work.history)
        self.running, self.since = [0.0, 0.0], [0.0, 0]

    # --- the end ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        work = self.work
        evaluated = self.best is not None and self.last_point_step == self.step
        late = work.place.any(flag=self.clock.timed and self.clock.remaining <= 0)
        if work.validation is not None and not evaluated and not late:
            over, self.over = self.over, False
            self._evaluate(self.optimizer.param_groups[0]["lr"])
            self.over = over
        if self.best is not None:
            state.put_back(work.network, self.best_state)
        self._insist_on_numbers()
        done = self.step / self.per_epoch
        best = done if self.best is None else self.best[1] / self.per_epoch
        # The schedule that a refit repeats: where the clock drove it, as many epochs as it would have gone to its end.
        whole = done / self.progress if self.progress > 0 else done
        work.learned["epochs"] = round(max(whole, 1.0 / self.per_epoch), 6)
        work.learned["stop"] = round(max(best, 1.0 / self.per_epoch), 6)
        work.network.eval()

    @property
    def last_point_step(self) -> int:
        """The step of the last evaluation, 0 where there was none."""
        return next((one.step for one in reversed(self.work.history) if one.criterion is not None), 0)

    def _insist_on_numbers(self) -> None:
        for name, one in state.changing(self.work.network).items():
            if one.is_floating_point() and not bool(torch.isfinite(one).all()):
                raise InputError(
                    "training diverged: weights became no numbers",
                    seen=f"{name} after {self.step:,} steps at rate {self.work.rate:g}",
                    remedy="Use a smaller learning_rate, or precision=float32.",
                )

    def _shared(self, loss: Loss) -> torch.nn.Module:
        """Return the loss with gradients averaged over the processes.

        Weights that no output depends on never get a gradient, for which the others would wait: they are frozen.
        """
        work = self.work
        rows = np.arange(min(2, len(work.examples.rows)))
        tensors = work.place.put(work.examples.rows.batch(rows))
        loss(tensors, work.examples.target[torch.from_numpy(rows)].to(work.place.device)).backward()
        for one in work.network.parameters():
            if one.requires_grad and one.grad is None:
                one.requires_grad_(requires_grad=False)
            one.grad = None
        return work.place.wrap(loss)
