"""A candidate under way: the folds it has finished, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from luban.search.candidate import Candidate
    from luban.search.scratch import FoldResult

TrialState = Literal["open", "finished", "pruned", "failed", "out of time"]


@dataclass(kw_only=True)
class Trial:
    """The state of one candidate.

    Attributes
    ----------
    results : dict of int to FoldResult
        By the number of the fold.
    asked : int or None
        Its number with the searcher of its learner.
    judged : int
        After how many folds it was asked whether it should be pruned.
    submitted : int
        How many folds have been handed to the executor or finished; always the first ones.
    state : TrialState
        ``open`` while more folds may be fitted; what is ``out of time`` or ``failed`` may have finished folds.
    """

    candidate: Candidate
    results: dict[int, FoldResult] = field(default_factory=dict)
    asked: int | None = None
    judged: int = 0
    submitted: int = 0
    state: TrialState = "open"
    reason: str = ""

    @property
    def depth(self) -> int:
        """How many folds are finished without a gap, from the first on."""
        depth = 0
        while depth in self.results:
            depth += 1
        return depth

    @property
    def usable(self) -> bool:
        """Whether it may be a member of the ensemble."""
        return self.depth > 0 and self.state in ("open", "finished", "out of time")

    @property
    def pending(self) -> int:
        """How many folds are with the executor."""
        return self.submitted - len(self.results)

    @property
    def fit_seconds(self) -> float:
        """Seconds of all its fits."""
        return sum(result.seconds for result in self.results.values())

    @property
    def fold_seconds(self) -> float:
        """Mean seconds of another fold, predicting included; 0 where none has finished."""
        spent = sum(result.again_seconds + result.predict_seconds for result in self.results.values())
        return spent / max(1, len(self.results))

    @property
    def first_loss(self) -> float:
        """Loss on the first fold."""
        return self.results[0].loss
