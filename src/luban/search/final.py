"""From the ensemble that stands to the models that stay: learnt again from all rows, or kept from the folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.search.scratch import Rows
    from luban.search.standing import Standing
    from luban.search.trial import Trial

# Models that may answer together: each costs some microseconds a row and a part of the size on disk.
MOST_MODELS = 8
MOST_BYTES = 40_000_000
# A fit on all rows takes longer than one on a fold in proportion to the rows, and some for safety.
REFIT_SLACK = 1.3


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a study ends.

    Parameters
    ----------
    refit : tuple of Trial
        Members to learn again from all rows, the heaviest first.
    seconds : float
        What that will take.
    reason : str
        Why, in words.
    """

    refit: tuple[Trial, ...]
    seconds: float
    reason: str


def ending(standing: Standing, rows: Rows, *, workers: int) -> Ending:
    """Return how to end where time allows.

    The mean of a member's fold models is at least as good as one model of all rows, so it is kept where it is
    small and quick enough, and where its members are of a whole cross-validation. A large mean is
    collapsed into one model a member: as quick as one fold, at the price of one more fit.
    """
    models = sum(trial.depth for trial in standing.members)
    size = sum(result.bytes for trial in standing.members for result in trial.results.values())
    whole = standing.depth >= rows.folds_a_repeat
    if whole and models <= MOST_MODELS and size <= MOST_BYTES:
        return Ending(refit=(), seconds=0.0, reason="the models of all folds are kept: they are few and small")
    order = sorted(range(len(standing.members)), key=lambda place: -standing.weights[place])
    refit = tuple(standing.members[place] for place in order)
    times = [refit_seconds(trial, rows) for trial in refit]
    seconds = max(*times, sum(times) / workers)
    return Ending(refit=refit, seconds=seconds, reason="each member learns once more, from all rows")


def refit_seconds(trial: Trial, rows: Rows) -> float:
    """Return how long a fit of this candidate on all rows is likely to take."""
    share = len(rows.target) / max(1, len(rows.learnt(0)))
    slowest = max(result.seconds for result in trial.results.values())
    return 0.3 + REFIT_SLACK * share * slowest


def refit_parameters(trial: Trial) -> dict[str, object]:
    """Return the parameters of a candidate with what its folds found out: the median of numbers, else the first."""
    parameters: dict[str, object] = dict(trial.candidate.parameters)
    results = [trial.results[fold] for fold in sorted(trial.results)]
    for name, first in results[0].learned.items():
        values = [result.learned[name] for result in results if name in result.learned]
        if isinstance(first, bool) or not all(isinstance(value, int | float) for value in values):
            parameters[name] = first
        else:
            middle = sorted(values)[len(values) // 2]
            mean = sum(values) / len(values)
            parameters[name] = round(mean) if isinstance(middle, int) else mean
    return parameters


def kept_folds(standing: Standing, place: int) -> list[int]:
    """Return the folds whose models stand for a member that is not learnt again, few enough in all."""
    trial = standing.members[place]
    share = max(1, MOST_MODELS // len(standing.members))
    return list(range(min(trial.depth, share)))
