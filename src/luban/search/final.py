"""From the ensemble that stands to the models that stay: learnt again from all rows, or kept from the folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.search.candidate import Candidate
    from luban.search.scratch import Rows
    from luban.search.standing import Standing
    from luban.search.trial import Trial

# What answers together where fold models are kept. One row takes about 0.005 ms a model through ONNX and 0.02 ms a
# megabyte of its trees, together less than 0.15 ms.
MOST_MODELS = 8
MOST_BYTES = 3_000_000
# Bytes of a network's weights; encodings keep some kilobytes of the kind as well.
MOST_TENSORS = 1_000_000
# So many fold models of a member are at least as good as one model of all rows.
BAG = 3
# A fit on all rows takes longer than one on a fold in proportion to the rows; it has no rows to judge.
REFIT_SLACK = 1.0


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a study ends.

    Parameters
    ----------
    kept : mapping of str to int
        By the key of a member, how many fold models stand for it unless it is learnt again, the first ones.
    refit : tuple of Trial
        Members to learn again from all rows, the heaviest first.
    seconds : float
        What that will take.
    reason : str
        Why, in words.
    """

    kept: Mapping[str, int]
    refit: tuple[Trial, ...]
    seconds: float
    reason: str


def ending(standing: Standing, rows: Rows, *, workers: int) -> Ending:
    """Return how to end where time allows.

    The mean of a few fold models is at least as good as one model of all rows, and costs no more time; it is kept
    where it is small and quick enough, for the heaviest members first. Each other member is collapsed into one model,
    as quick as one fold, at the price of one more fit. What is fitted once stays as its first fold left it.
    """
    enough = min(BAG, rows.folds_a_repeat)
    # Forward in time only the first fold learnt from nearly all rows, and even that one misses the latest.
    kept = {trial.candidate.key: 1 for trial in standing.members} if rows.forward else bags(standing, enough)
    refit = tuple(
        trial
        for trial in _heaviest_first(standing)
        if (rows.forward or kept[trial.candidate.key] < enough) and not trial.candidate.once
    )
    times = [refit_seconds(trial, rows) for trial in refit]
    alone = sum(time for trial, time in zip(refit, times, strict=True) if trial.candidate.alone)
    seconds = max(*times, 0.0, alone + (sum(times) - alone) / workers) if refit else 0.0
    return Ending(kept=kept, refit=refit, seconds=seconds, reason=_reason(standing, kept, refit))


def bags(standing: Standing, enough: int) -> dict[str, int]:
    """Return by the key of each member how many fold models may be kept: 1, or at least `enough`."""
    kept = {trial.candidate.key: 1 for trial in standing.members}
    # Several large networks would each read a row from the start, which is dear; one of all rows reads it once.
    candidates = [
        trial
        for trial in _heaviest_first(standing)
        if trial.depth >= enough > 1 and not trial.candidate.once and trial.results[0].tensors <= MOST_TENSORS
    ]
    bagged = []
    for trial in candidates:
        more = kept | {trial.candidate.key: enough}
        if _fits(standing, more):
            kept = more
            bagged.append(trial)
    while bagged:
        more = kept | {trial.candidate.key: min(kept[trial.candidate.key] + 1, trial.depth) for trial in bagged}
        if more == kept or not _fits(standing, more):
            break
        kept = more
    return kept


def _fits(standing: Standing, kept: Mapping[str, int]) -> bool:
    """Return whether so many answer quickly together; a model of all rows is as large as the largest of its folds."""
    size = 0
    for trial in standing.members:
        folds = kept[trial.candidate.key]
        sizes = [trial.results[fold].searched_bytes for fold in range(trial.depth)]
        size += sum(sizes[:folds]) if folds > 1 else max(sizes)
    return sum(kept.values()) <= MOST_MODELS and size <= MOST_BYTES


def _heaviest_first(standing: Standing) -> list[Trial]:
    order = sorted(range(len(standing.members)), key=lambda place: -standing.weights[place])
    return [standing.members[place] for place in order]


def _reason(standing: Standing, kept: Mapping[str, int], refit: Sequence[Trial]) -> str:
    again = {trial.candidate.key for trial in refit}
    words = []
    for trial in _heaviest_first(standing):
        key = trial.candidate.key
        count = "the model of its first fold" if kept[key] == 1 else f"the mean of {kept[key]} fold models"
        words.append(f"{key}: {'learnt once more, from all rows' if key in again else count}")
    return "; ".join(words)


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
