"""From the ensemble that stands to the models that stay: learnt again from all rows, or kept from the folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.search.candidate import Candidate
    from luban.search.scratch import Rows
    from luban.search.standing import Standing
    from luban.search.trial import Trial

# Models that may answer together: one row takes about 0.005 ms a model through ONNX, besides what its trees take.
MOST_MODELS = 8
MOST_BYTES = 3_000_000  # of fold models; fewer than a single model may take, because they are many
# So many fold models of each member are at least as good as one model of all rows.
BAG = 3
# A fit on all rows takes longer than one on a fold in proportion to the rows; it has no rows to judge.
REFIT_SLACK = 1.0


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a study ends.

    Parameters
    ----------
    folds : int
        How many fold models stand for a member that is not learnt again, the first ones.
    refit : tuple of Trial
        Members to learn again from all rows, the heaviest first.
    seconds : float
        What that will take.
    reason : str
        Why, in words.
    """

    folds: int
    refit: tuple[Trial, ...]
    seconds: float
    reason: str


def ending(standing: Standing, rows: Rows, *, workers: int) -> Ending:
    """Return how to end where time allows.

    The mean of a few fold models is at least as good as one model of all rows, and costs no more time; it is kept
    where it is small and quick enough. Otherwise each member is collapsed into one model, as quick as one fold, at
    the price of one more fit. What is fitted once stays as its first fold left it.
    """
    # Forward in time only the first fold learnt from nearly all rows, and even that one misses the latest.
    folds = 1 if rows.forward else bag_size(standing)
    if not rows.forward and (folds >= BAG or folds >= rows.folds_a_repeat):
        return Ending(folds=folds, refit=(), seconds=0.0, reason=f"each member is the mean of {folds} fold models")
    order = sorted(range(len(standing.members)), key=lambda place: -standing.weights[place])
    refit = tuple(standing.members[place] for place in order if not standing.members[place].candidate.once)
    if not refit:
        return Ending(folds=1, refit=(), seconds=0.0, reason="each member is the model of its first fold")
    times = [refit_seconds(trial, rows) for trial in refit]
    alone = sum(time for trial, time in zip(refit, times, strict=True) if trial.candidate.alone)
    seconds = max(*times, 0.0, alone + (sum(times) - alone) / workers)
    return Ending(folds=folds, refit=refit, seconds=seconds, reason="each member learns once more, from all rows")


def bag_size(standing: Standing) -> int:
    """Return how many fold models of each member may be kept: at least 1."""
    depth = min((trial.depth for trial in standing.members if not trial.candidate.once), default=1)
    for folds in range(depth, 1, -1):
        size = sum(trial.results[fold].bytes for trial in standing.members for fold in range(folds_kept(trial, folds)))
        if folds * len(standing.members) <= MOST_MODELS and size <= MOST_BYTES:
            return folds
    return 1


def folds_kept(trial: Trial, folds: int) -> int:
    """Return how many fold models of a member stay where the others keep so many."""
    return 1 if trial.candidate.once else folds


def refit_seconds(trial: Trial, rows: Rows) -> float:
    """Return how long a fit of this candidate on all rows is likely to take."""
    share = len(rows.target) / max(1, len(rows.learnt(0)))
    slowest = max(result.again_seconds for result in trial.results.values())
    return 0.3 + REFIT_SLACK * share * slowest


def refit_candidate(trial: Trial, rows: Rows) -> Candidate:
    """Return a candidate with what its folds found out as its parameters: the mean of numbers, else the first.

    Forward in time it is what the first fold found out, as the others learnt from fewer rows.
    """
    parameters = dict(trial.candidate.parameters)
    results = [trial.results[fold] for fold in sorted(trial.results)[: 1 if rows.forward else None]]
    for name, first in results[0].learned.items():
        values = [result.learned[name] for result in results if name in result.learned]
        if isinstance(first, bool) or not all(isinstance(value, int | float) for value in values):
            parameters[name] = first
        else:
            mean = sum(values) / len(values)
            parameters[name] = round(mean) if isinstance(first, int) else mean
    return replace(trial.candidate, parameters=parameters)
