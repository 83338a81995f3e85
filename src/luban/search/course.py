"""The course of a study: hand folds to the executor, take their results, keep the best ensemble up to date."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import OutOfTime
from luban.core.protocols import Event, Job
from luban.evaluation.metrics import metric
from luban.search import scratch
from luban.search.candidate import seed_of
from luban.search.final import ending
from luban.search.fold import AFTER_NETWORKS, AFTERWARDS
from luban.search.result import StudyEvent
from luban.search.schedule import Clock, Schedule, Unit
from luban.search.standing import MOST_BYTES, OutOfFold, Standing, stand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from luban.core.protocols import Executor
    from luban.execution.deadline import Plan
    from luban.search.candidate import Candidate
    from luban.search.trial import Trial

# A wish to stop is looked for this often, in seconds.
LISTEN = 0.2
# How much longer than allowed a fold may take before its process is killed: a share, and seconds.
_PATIENCE_SHARE, _PATIENCE_SECONDS = 0.25, 2.0
# What the end of a study takes besides fitting again: loading the models, calibrating. A short budget cannot keep as
# much, nor has it as many models.
_CLOSING_SECONDS, _CLOSING_SHARE = 0.5, 0.1
# With a shorter budget than this, folds learn from so many rows a second of it: something that is learnt from a sample
# is worth more than a constant that is learnt from all.
_HURRY_SECONDS, _HURRY_ROWS = 5.0, 4000
# Bytes of weights that are loaded, kept and written as ONNX in a second, and what tracing a network takes besides; at
# most so much of the budget is kept for it. Fewer bytes are the arrays of an encoding, which are written at once.
_TENSORS_PER_SECOND, _TRACING_SECONDS, _WRITING_SHARE = 20e6, 6.0, 0.15
_NETWORK_BYTES = 500_000
# So many searched trials in a row without a better ensemble, and the study has converged.
_CONVERGED_TRIALS = 60


class Course:
    """A study under way.

    Attributes
    ----------
    standing : Standing or None
        The best ensemble so far.
    notes : list of str
    """

    def __init__(
        self,
        *,
        rows: scratch.Rows,
        folder: Path,
        executor: Executor,
        schedule: Schedule,
        plan: Plan,
        seed: int,
        members: int,
        on_event: Callable[[StudyEvent], None],
        cache: str | None = None,
    ) -> None:
        self.rows = rows
        self.folder = folder
        self.executor = executor
        self.schedule = schedule
        self.plan = plan
        self.seed = seed
        self.workers = executor.workers
        self.threads = executor.threads
        self.standing: Standing | None = None
        self.notes: list[str] = []
        self.cache = cache
        self._waiting: Unit | None = None
        self._members = members
        self._on_event = on_event
        self._predictions = OutOfFold(folder, rows)
        self._running: dict[int, Unit] = {}
        self._started: dict[int, float] = {}
        self._closing_seconds = min(_CLOSING_SECONDS, _CLOSING_SHARE * plan.budget)
        self._ending_seconds = 0.0
        self._stale = False
        self._trials_at_best = 0

    @property
    def trials(self) -> list[Trial]:
        """All candidates that were begun."""
        return self.schedule.trials

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until there is nothing more to do, the time is over, or `stop` says so."""
        while not stop():
            self._submit()
            if not self._running or self.plan.study_remaining() <= 0:
                break
            for event in self.executor.events(LISTEN):
                self._hear(event)
                if event.kind != "progress":
                    break
            self._cancel_the_late()
            self._refresh()
        self._abandon()
        self._refresh()

    def tell(self, kind: str, message: str) -> None:
        """Tell the listener what happened."""
        self._on_event(StudyEvent(kind=kind, message=message, done=self._done(), score=self.score()))

    def score(self) -> float | None:
        """Return the score of the best ensemble so far, in its natural sense."""
        return None if self.standing is None else natural(self.rows.task.metric, self.standing.loss)

    def score_of(self, trial: Trial) -> float | None:
        """Return the score of one candidate on the rows of all folds that it has finished."""
        depth = min(trial.depth, self.rows.folds_a_repeat)
        target = np.asarray(self.rows.target[self._predictions.covered(depth)])
        score = metric(self.rows.task.metric)(self.rows.task, target, self._predictions.prediction(trial, depth))
        return score if math.isfinite(score) else None

    def adopt(self, trial: Trial) -> Standing:
        """Take a first fold that was fitted outside of the course, and return the ensemble that it makes."""
        trial.state, trial.submitted = "open", 1
        self._take(Unit(trial=trial, fold=0))
        self._refresh()
        assert self.standing is not None
        return self.standing

    # --- handing out ----------------------------------------------------------------------------

    def _submit(self) -> None:
        """Hand out folds until every worker has one, and one more waits so that none is idle."""
        while len(self._running) <= self.workers:
            if self._converged():
                return
            unit = self._waiting or self.schedule.next(self._clock(), self._ranked())
            if unit is None:
                return
            running = [other.trial.candidate for other in self._running.values()]
            self._waiting = unit if disturbs(unit.trial.candidate, running) else None
            if self._waiting is not None:
                return
            unit.trial.submitted += 1
            if scratch.read_result(self.folder, unit.trial.candidate.key, unit.fold) is not None:
                self._take(unit)  # finished before the study was interrupted
                self._refresh()
                continue
            self._running[self.executor.submit(self.job(unit.trial.candidate, unit.fold, unit.seconds))] = unit

    def job(self, candidate: Candidate, fold: int | None, seconds: float) -> Job:
        """Return the work of one fit."""
        key = candidate.key
        end = self._search_end() if fold is not None else self._learning_end()
        return Job(
            function="luban.search.fold:fit_fold",
            arguments={
                "folder": str(self.folder),
                "key": key,
                "learner": candidate.learner,
                "parameters": candidate.parameters,
                "fold": fold,
                "seconds": seconds if math.isfinite(seconds) else None,
                "deadline": end if math.isfinite(end) else None,
                "threads": self.threads * (self.workers if candidate.alone else 1),
                "cache": self.cache,
                "afterwards": AFTER_NETWORKS if candidate.alone and fold is not None else AFTERWARDS,
                "seed": seed_of(self.seed, key, fold),
                "most_rows": int(_HURRY_ROWS * self.plan.budget) if self.plan.budget < _HURRY_SECONDS else None,
            },
            deadline=end + min(1.0, 0.02 * self.plan.budget) if math.isfinite(end) else None,
        )

    def _search_end(self) -> float:
        return self._learning_end() - self._ending_seconds

    def _learning_end(self) -> float:
        return self.plan.study_deadline - self._closing_seconds - self.writing_seconds()

    def writing_seconds(self) -> float:
        """Return what keeping and exporting the networks of the ensemble takes beyond what is kept for the end."""
        if self.standing is None or not self.plan.timed:
            return 0.0
        sizes = [trial.results[0].tensors for trial in self.standing.members]
        tensors = [size for size in sizes if size >= _NETWORK_BYTES]
        seconds = sum(tensors) / _TENSORS_PER_SECOND + _TRACING_SECONDS * len(tensors)
        return min(seconds, _WRITING_SHARE * self.plan.budget)

    def _clock(self) -> Clock:
        return Clock(
            left=self._search_end() - time.monotonic(),
            budget=self.plan.budget,
            spent=self.plan.elapsed / (self.plan.study_deadline - self.plan.started) if self.plan.timed else 0.0,
            workers=self.workers,
        )

    def _ranked(self) -> list[Trial]:
        """Return the usable trials: members by their weights, then the others by their loss on the first fold."""
        usable = [trial for trial in self.trials if trial.usable]
        weights: dict[int, float] = {}
        if self.standing is not None:
            pairs = zip(self.standing.members, self.standing.weights, strict=True)
            weights = {id(trial): float(weight) for trial, weight in pairs}
        return sorted(usable, key=lambda trial: (-weights.get(id(trial), 0.0), trial.first_loss))

    def _converged(self) -> bool:
        searched = sum(trial.candidate.origin == "search" and trial.state != "open" for trial in self.trials)
        if not self.plan.timed or searched - self._trials_at_best < _CONVERGED_TRIALS:
            return False
        note = f"The search ended early: the last {_CONVERGED_TRIALS} trials made the ensemble no better."
        if note not in self.notes:
            self.notes.append(note)
        return True

    # --- hearing --------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        unit = self._running.get(event.job)
        if unit is None:
            return
        if event.kind == "progress":
            if "started" in event.value:
                self._started[event.job] = event.value["started"]
            elif "step" in event.value and self.schedule.hopeless(unit, event.value["step"], _loss(event.value)):
                self.tell("trial", f"{unit.trial.candidate.learner} pruned: {unit.trial.reason}")
                self.executor.cancel(event.job)
            return
        del self._running[event.job]
        self._started.pop(event.job, None)
        if event.kind == "finished":
            self.schedule.fold_done(unit)
            self._take(unit)
        else:
            self._lose(unit, event)

    def _take(self, unit: Unit) -> None:
        trial = unit.trial
        result = scratch.read_result(self.folder, trial.candidate.key, unit.fold)
        assert result is not None, "a fold is kept before it is told to be finished"
        if result.cut and unit.fold > 0 and not trial.results[0].cut:
            # It had less time than the first one, so the two are not models of one kind.
            trial.state, trial.reason = "out of time", f"fold {unit.fold + 1} was cut short"
            self.schedule.settle(trial)
            return
        trial.results[unit.fold] = result
        if not math.isfinite(result.loss) and trial.state == "open":
            trial.state, trial.reason = "failed", f"its {self.rows.task.metric} is not defined"
        if result.searched_bytes > MOST_BYTES and trial.state == "open":
            trial.state = "pruned"
            size, most = result.searched_bytes / 1e6, MOST_BYTES / 1e6
            trial.reason = f"its model takes {size:.0f} MB, and {most:.0f} MB are the most"
        self.schedule.settle(trial)
        self._stale = True
        whole = self.schedule.folds_of(trial.candidate)
        if trial.state == "pruned" or (trial.state == "open" and trial.depth == whole):
            self.tell("trial", f"{trial.candidate.learner} {trial.state if trial.state != 'open' else 'finished'}")

    def _lose(self, unit: Unit, event: Event) -> None:
        trial = unit.trial
        if trial.state == "open":
            words = event.value["error"] if event.value else "no reason is known"
            late = event.kind == "killed" or (event.value or {}).get("type") == OutOfTime.__name__
            trial.state = "out of time" if late else "failed"
            trial.reason = trial.reason or words
            self.tell("trial", f"{trial.candidate.learner} {trial.state}: {trial.reason}")
        self.schedule.settle(trial)

    def _cancel_the_late(self) -> None:
        now = time.monotonic()
        for number, unit in self._running.items():
            allowed = unit.seconds * (1 + _PATIENCE_SHARE) + _PATIENCE_SECONDS
            if now - self._started.get(number, now) > allowed:
                unit.trial.reason = (
                    f"fold {unit.fold + 1} did not end at its limit of {unit.seconds:.0f} s and was killed"
                )
                self.executor.cancel(number)

    def _abandon(self) -> None:
        """Stop what is still running: what comes next needs the workers."""
        for number in self._running:
            self.executor.cancel(number)
        for event in self.executor.events(2.0):
            if event.kind == "finished":
                self._hear(event)
            elif event.kind != "progress":
                self._running.pop(event.job, None)
            if not self._running:
                break

    def _refresh(self) -> None:
        """Blend again when folds have finished."""
        if not self._stale:
            return
        self._stale = False
        before = self.standing
        self.standing = stand(self._predictions, self.trials, members=self._members)
        if self.standing is None:
            return
        self._ending_seconds = (
            ending(self.standing, self.rows, workers=self.workers).seconds if self.plan.timed else 0.0
        )
        if before is None:
            self.tell("model", f"the first model stands: {self.standing.members[0].candidate.learner}")
        elif self.standing.depth != before.depth or self.standing.loss < before.loss - 1e-4 * abs(before.loss):
            self._trials_at_best = sum(
                trial.candidate.origin == "search" and trial.state != "open" for trial in self.trials
            )
            learners = ", ".join(dict.fromkeys(trial.candidate.learner for trial in self.standing.members))
            folds = min(self.standing.depth, self.rows.folds_a_repeat)
            over = f"over {folds} of {self.rows.folds_a_repeat} folds"
            self.tell("better", f"{self.rows.task.metric} {self.score():.5g} {over} by {learners}")

    def _done(self) -> float:
        if self.plan.timed:
            return min(1.0, self.plan.elapsed / self.plan.budget)
        finished = sum(len(trial.results) for trial in self.trials)
        return min(1.0, finished / max(1, self.schedule.work))


def disturbs(candidate: Candidate, running: Sequence[Candidate]) -> bool:
    """Return whether a fit must wait for those that run: what uses all processors runs alone."""
    return bool(running) and (candidate.alone or any(other.alone for other in running))


def _loss(value: Mapping[str, Any]) -> float:
    """Return the loss that a fold has told; JSON has no NaN and no infinity."""
    return math.inf if value["loss"] is None else float(value["loss"])


def natural(name: str, loss: float) -> float:
    """Return the score of a loss, in the metric's natural sense."""
    found: Any = metric(name)
    return 1 - loss if found.greater_is_better else loss
