"""What a study does next.

A study goes in breadth before it goes in depth. It fits the first fold of every candidate of the
portfolio, in order, which is a holdout; then the second fold of those worth it, the third, and so on, which is a
cross-validation; then it asks the searchers for more candidates. So at any moment the best use has been made
of the time so far: a large table ends with a broad holdout, a small one with every candidate cross-validated
and many trials searched.

With a budget in rounds nothing here looks at a clock: so many candidates are fitted on all folds, and what
is asked of a searcher is asked only when all that was begun is finished.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.search.pruning.hopeless import HopelessRule
from luban.search.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.search.candidate import Candidate
    from luban.search.exploration import Exploration

# After this share of the time the best candidates so far are fitted on some more folds before others are tried: the
# weights of an ensemble that come from one fold alone are noisy, and the end of a portfolio adds little.
EXPLORED_SHARE = 0.4
SOLID_FOLDS = 3
SOLID_TRIALS = 4
# Share of the time left that the first fold of one candidate may take.
FIRST_FOLD_SHARE = 0.35
# That of a candidate which is fitted once, where no other of the portfolio waits: what it leaves is no use to others.
LAST_SHARE = 0.98
# A fold may take so many times what the folds of its candidate have taken so far.
LATER_FOLD_SLACK = 2.0
# Less than this share of the budget (or this many seconds) left: nothing more is begun.
LEAST_SHARE = 0.01
LEAST_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One fold of one trial, and how many seconds it may take."""

    trial: Trial
    fold: int
    seconds: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What a choice is made by.

    Parameters
    ----------
    left : float
        Seconds until the search must end; infinite in rounds.
    budget : float
        Seconds of the whole study.
    spent : float
        Share of them that is over.
    workers : int
    """

    left: float
    budget: float
    spent: float
    workers: int

    @property
    def over(self) -> bool:
        """Whether nothing more should be begun."""
        return self.left < max(LEAST_SECONDS, min(2.0, LEAST_SHARE * self.budget))


class Schedule:
    """The state of a study's course.

    Parameters
    ----------
    portfolio : sequence of Candidate
    exploration : Exploration
        Asks searchers for more candidates.
    folds : int
        Of one cross-validation.
    repeats : int
        How many cross-validations the members of the ensemble get.
    rounds : int, optional
        How many candidates are tried, without a clock.
    """

    def __init__(
        self,
        portfolio: Sequence[Candidate],
        exploration: Exploration,
        *,
        folds: int,
        repeats: int = 1,
        rounds: int | None = None,
    ) -> None:
        self.trials: list[Trial] = []
        self._portfolio = list(portfolio if rounds is None else portfolio[:rounds])
        self._exploration = exploration
        self._folds = folds
        self._repeats = repeats
        self._rounds = rounds
        # Fits of one learner on one fold tell losses that can be compared.
        self._inside: defaultdict[tuple[str, int], HopelessRule] = defaultdict(HopelessRule)

    @property
    def work(self) -> int:
        """How many folds a budget in rounds amounts to."""
        return self._folds * (self._rounds or 0)

    def next(self, clock: Clock, ranked: Sequence[Trial]) -> Unit | None:
        """Return what to do next, or None when there is nothing (until something finishes, or for good).

        Parameters
        ----------
        ranked : sequence of Trial
            The usable trials, the most useful first.
        """
        if self._rounds is not None:
            return self._next_in_rounds()
        if clock.over:
            return None
        ranked = [trial for trial in ranked if not trial.candidate.once]
        solid = None
        if clock.spent > EXPLORED_SHARE:
            solid = self._next_later_fold(clock, ranked[:SOLID_TRIALS], min(SOLID_FOLDS, self._folds))
        return (
            solid
            or self._next_first_fold(clock)
            or self._next_later_fold(clock, ranked, self._folds * self._repeats)
            or self._ask(clock.left)
        )

    def begin_first(self) -> Trial | None:
        """Begin the first candidate of the portfolio that has not been begun, if there is one."""
        return self._begin(self._portfolio.pop(0)) if self._portfolio else None

    def folds_of(self, candidate: Candidate) -> int:
        """Return how many folds make a candidate complete."""
        return 1 if candidate.once else self._folds

    def hopeless(self, unit: Unit, step: int, loss: float) -> bool:
        """Take a loss from inside a fold, and prune its trial where it was asked for by a searcher and has no hope.

        With a budget in rounds none is: which losses come in time depends on the clock.
        """
        trial = unit.trial
        if self._rounds is not None:
            return False
        behind = self._inside[trial.candidate.learner, unit.fold](trial.candidate.key, step, loss)
        if not behind or trial.asked is None or trial.state != "open":
            return False
        trial.state = "pruned"
        trial.reason = f"stopped inside fold {unit.fold + 1} at step {step}: it fell too slowly to catch up"
        return True

    def fold_done(self, unit: Unit) -> None:
        """Take note that a fit has come to its end by itself."""
        self._inside[unit.trial.candidate.learner, unit.fold].done(unit.trial.candidate.key)

    def settle(self, trial: Trial) -> None:
        """Take note that a fold of a trial has finished: prune it, or tell its searcher when it is complete."""
        if trial.state == "pruned":
            self._exploration.give_up(trial)
            return
        if trial.state != "open":
            self._exploration.drop(trial)
            return
        if trial.asked is not None and self._exploration.prune(trial):
            trial.state = "pruned"
            trial.reason = f"after {_count(trial.judged)} it was behind most trials of its learner"
            self._exploration.drop(trial)
        elif trial.depth == self.folds_of(trial.candidate) and trial.pending == 0:
            self._exploration.learn(trial)

    def _next_in_rounds(self) -> Unit | None:
        assert self._rounds is not None
        for trial in self.trials:
            # A searched trial is fitted on its first fold alone, and pruned or not, before the others begin.
            waits = trial.asked is not None and trial.depth == 0 and trial.submitted == 1
            if trial.state == "open" and trial.submitted < self.folds_of(trial.candidate) and not waits:
                return Unit(trial=trial, fold=trial.submitted)
        if self._portfolio:
            return Unit(trial=self._begin(self._portfolio.pop(0)), fold=0)
        if len(self.trials) >= self._rounds or any(trial.pending for trial in self.trials):
            return None
        return self._ask()

    def _next_first_fold(self, clock: Clock) -> Unit | None:
        while self._portfolio:
            candidate = self._portfolio.pop(0)
            trial = self._begin(candidate)
            last = candidate.once and not self._portfolio
            seconds = max(1.0, (LAST_SHARE if last else candidate.share or FIRST_FOLD_SHARE) * clock.left)
            likely = max(self._likely_seconds(candidate.learner), candidate.needs)
            if likely > (seconds if candidate.needs else 0.9 * clock.left):
                trial.state = "out of time"
                trial.reason = f"a fold would take about {likely:.0f} s and {clock.left:.0f} s were left"
                continue
            return Unit(trial=trial, fold=0, seconds=seconds)
        return None

    def _next_later_fold(self, clock: Clock, ranked: Sequence[Trial], end: int) -> Unit | None:
        worth = self._worth_deepening(clock, ranked)
        members = ranked[: max(1, len(ranked) // 3)]
        for fold in range(1, end):
            for trial in worth if fold < self._folds else members:
                if trial.state != "open" or trial.submitted != fold:
                    continue
                if trial.asked is not None and trial.pending:
                    continue  # whether it is pruned is not known yet
                if trial.results[0].cut and trial.results[0].seconds > clock.left:
                    continue  # it would be cut shorter than the first one, and be no model of the same kind
                if 1.2 * trial.fold_seconds <= clock.left:
                    return Unit(trial=trial, fold=fold, seconds=min(clock.left, _later_fold_seconds(trial)))
        return None

    def _worth_deepening(self, clock: Clock, ranked: Sequence[Trial]) -> list[Trial]:
        """Return the trials, the most useful first, whose remaining folds fit into the time, three at least."""
        capacity = clock.left * clock.workers
        worth: list[Trial] = []
        for trial in ranked:
            cost = trial.fold_seconds * max(0, self._folds - trial.submitted)
            if cost <= capacity or len(worth) < 3:
                worth.append(trial)
                capacity -= cost
        return worth

    def _ask(self, left: float = math.inf) -> Unit | None:
        trial = self._exploration.ask(self.trials, lambda learner: self._likely_seconds(learner) <= 0.9 * left)
        if trial is None:
            return None
        self.trials.append(trial)
        return Unit(trial=trial, fold=0, seconds=max(1.0, (trial.candidate.share or FIRST_FOLD_SHARE) * left))

    def _begin(self, candidate: Candidate) -> Trial:
        trial = Trial(candidate=candidate)
        self.trials.append(trial)
        return trial

    def _likely_seconds(self, learner: str) -> float:
        """Return what a fold of a learner has taken, the median over its trials; 0 where nothing is known."""
        known = sorted(
            trial.fold_seconds for trial in self.trials if trial.candidate.learner == learner and trial.depth
        )
        return known[len(known) // 2] if known else 0.0


def _later_fold_seconds(trial: Trial) -> float:
    """Return how long a fold after the first may take: as long as that one where its time was limited."""
    first = trial.results[0]
    return first.seconds if first.cut else 1.0 + LATER_FOLD_SLACK * trial.fold_seconds


def _count(folds: int) -> str:
    return "1 fold" if folds == 1 else f"{folds} folds"
