"""Trials beyond the portfolio: which learner is searched next, and what its searcher asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from luban.core import plugins
from luban.search.candidate import Candidate
from luban.search.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.protocols import Searcher
    from luban.search.learners import Searched

MakeSearcher = Callable[..., "Searcher"]

# A searcher that has asked so often for what was tried already has come to the end of a small space.
_MOST_REPEATED = 25


class Exploration:
    """One searcher a learner, the better learners asked more often.

    Parameters
    ----------
    spaces : mapping of str to Searched
        By the name of the learner.
    searcher : str
        Name in the group ``luban.searchers``.
    """

    def __init__(self, spaces: Mapping[str, Searched], searcher: str, *, seed: int) -> None:
        plugins.origin("searchers", searcher)  # a wrong name is told before any work
        self._spaces = dict(spaces)
        self._name = searcher
        self._seed = seed
        self._searchers: dict[str, Searcher] = {}
        self._generator = np.random.default_rng(seed)
        self._seen: set[str] = set()
        self._repeated: Counter[str] = Counter()
        self._worst: dict[str, float] = {}

    def ask(self, trials: Sequence[Trial], affordable: Callable[[str], bool]) -> Trial | None:
        """Return a new trial, or None where no searcher has one."""
        self._seen.update(trial.candidate.key for trial in trials)
        names = [name for name in self._ranked(trials) if affordable(name)]
        while names:
            # The best learner is asked most often, the next one less by half, and so on.
            shares = 0.5 ** np.arange(len(names))
            name = names[int(self._generator.choice(len(names), p=shares / shares.sum()))]
            asked = self._searcher(name).ask()
            if asked is None:
                del self._spaces[name]
                names.remove(name)
                continue
            number, parameters = asked
            searched = self._spaces[name]
            candidate = Candidate(
                learner=name,
                parameters=dict(parameters),
                origin="search",
                once=searched.once,
                share=searched.share,
            )
            if candidate.key in self._seen:
                self._searcher(name).tell(number, None)
                self._repeated[name] += 1
                if self._repeated[name] >= _MOST_REPEATED:
                    del self._spaces[name]
                    names.remove(name)
                continue
            return Trial(candidate=candidate, asked=number)
        return None

    def prune(self, trial: Trial) -> bool:
        """Return whether a trial should be given up: asked once after each fold, in the order of the folds."""
        assert trial.asked is not None
        searcher = self._searcher(trial.candidate.learner)
        for depth in range(trial.judged + 1, trial.depth + 1):
            trial.judged = depth
            mean = float(np.mean([trial.results[fold].loss for fold in range(depth)]))
            if searcher.prune(trial.asked, depth - 1, mean):
                return True
        return False

    def learn(self, trial: Trial) -> None:
        """Tell the searcher of a complete trial its loss."""
        if trial.asked is not None:
            loss = float(np.mean([result.loss for result in trial.results.values()]))
            self._searcher(trial.candidate.learner).tell(trial.asked, loss)
            if np.isfinite(loss):
                worst = self._worst.get(trial.candidate.learner, loss)
                self._worst[trial.candidate.learner] = max(worst, loss)
            trial.asked = None

    def drop(self, trial: Trial) -> None:
        """Tell the searcher of a trial that was pruned, failed or ran out of time."""
        if trial.asked is not None:
            self._searcher(trial.candidate.learner).tell(trial.asked, None)
            trial.asked = None

    def give_up(self, trial: Trial) -> None:
        """Tell the searcher of a trial that was stopped before it had a loss: it counts as bad as the worst.

        A failure would teach the searcher nothing, and it would ask for the same again.
        """
        if trial.asked is not None:
            learner = trial.candidate.learner
            self._searcher(learner).tell(trial.asked, self._worst.get(learner))
            trial.asked = None

    def _searcher(self, learner: str) -> Searcher:
        if learner not in self._searchers:
            make: MakeSearcher = plugins.load("searchers", self._name)
            self._searchers[learner] = make(self._spaces[learner].space, seed=self._seed)
        return self._searchers[learner]

    def _ranked(self, trials: Sequence[Trial]) -> list[str]:
        """Return the learners that can be searched, the one with the lowest loss on the first fold first."""
        best: dict[str, float] = {}
        for trial in trials:
            name = trial.candidate.learner
            if name in self._spaces and trial.usable:
                best[name] = min(best.get(name, np.inf), trial.first_loss)
        return sorted(best, key=lambda name: (best[name], name))
