"""The best ensemble that the finished folds allow at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.baseline import constant_prediction
from luban.evaluation.metrics import loss as loss_of
from luban.evaluation.metrics import metric
from luban.learners.link import of_one_length
from luban.search import scratch
from luban.search.ensemble.greedy import greedy_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from luban.search.scratch import Rows
    from luban.search.trial import Trial

# Bytes of one model: with its graph everything on disk stays under 50 MB.
MOST_BYTES = 24_000_000
# Bytes of the models that answer together. One row takes 0.017 to 0.025 ms a megabyte of trees through ONNX, and 0.1 ms
# besides where there are many columns; it is to be answered in less than half a millisecond.
MOST_BYTES_TOGETHER = 15_000_000


# Where one fold judges all, many weak trials fit its few rows by chance: then only the better half of the way to chance
# may take part.
_GAP = 0.5


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An ensemble and how good it is on rows that its members had not seen.

    Parameters
    ----------
    members : tuple of Trial
    weights : numpy.ndarray
        Shape (members,), positive; they sum to 1.
    depth : int
        The folds that all trials compared had finished.
    rows : numpy.ndarray
        Numbers of the rows judged, ascending.
    prediction : numpy.ndarray
        Of the ensemble for these rows.
    loss : float
    """

    members: tuple[Trial, ...]
    weights: np.ndarray
    depth: int
    rows: np.ndarray
    prediction: np.ndarray
    loss: float


class OutOfFold:
    """Predictions of all finished folds for the rows that they were judged by, read once."""

    def __init__(self, folder: Path, rows: Rows) -> None:
        self.rows = rows
        self._folder = folder
        self._kept: dict[tuple[str, int], np.ndarray] = {}
        self._judged: dict[int, np.ndarray] = {}

    def covered(self, depth: int) -> np.ndarray:
        """Return the numbers of the rows that the first `depth` folds judge, ascending."""
        every = [self._rows_of(fold) for fold in range(min(depth, self.rows.folds_a_repeat))]
        return np.sort(np.concatenate(every))

    def prediction(self, trial: Trial, depth: int) -> np.ndarray:
        """Return a trial's predictions for the rows covered, averaged over the repeats that it has finished."""
        repeat = self.rows.folds_a_repeat
        used = depth if depth < repeat else trial.depth // repeat * repeat
        shape = (len(self.rows.target), *np.max([self._of(trial, fold).shape[1:] for fold in range(used)], axis=0))
        shape = tuple(int(size) for size in shape)
        total, count = np.zeros(shape), np.zeros(len(self.rows.target))
        for fold in range(used):
            judged, found = self._rows_of(fold), self._of(trial, fold)
            if found.ndim == 3:  # of words: 0 where there is none, and as many as the longest row of all folds has
                filled = np.nan_to_num(found, nan=0.0)
                total[judged, : found.shape[1]] += filled
            else:
                total[judged] += found
            count[judged] += 1
        covered = self.covered(depth)
        share = count[covered].reshape(-1, *[1] * (len(shape) - 1))
        mean: np.ndarray = total[covered] / share
        return mean

    def _of(self, trial: Trial, fold: int) -> np.ndarray:
        key = (trial.candidate.key, fold)
        if key not in self._kept:
            self._kept[key] = scratch.read_prediction(self._folder, *key)
        return self._kept[key]

    def _rows_of(self, fold: int) -> np.ndarray:
        if fold not in self._judged:
            self._judged[fold] = self.rows.judged(fold)
        return self._judged[fold]


def stand(predictions: OutOfFold, trials: Sequence[Trial], *, members: int) -> Standing | None:
    """Return the best ensemble of the usable trials, or None where no fold is finished.

    Trials are compared on rows that all of them were judged by: on as many folds as half of them have finished, or as
    those have that are the best ensemble on the first fold, whichever is more. Trials that have finished
    fewer are left out, or else one new trial would shrink the ground that all others are judged on; but quick ones that
    know little do not count, or else they would leave a good one behind. What is fitted on the first fold alone is
    compared with all on that one, and where it is worth a place that fold judges the ensemble.
    """
    usable = [trial for trial in trials if trial.usable] or [trial for trial in trials if trial.depth]
    if not usable:
        return None
    whole = predictions.rows.folds_a_repeat
    if any(trial.candidate.once for trial in usable):
        standing = _blend(predictions, usable, 1, members, gap=_GAP)
        if any(trial.candidate.once for trial in standing.members):
            return standing
        usable = [trial for trial in usable if not trial.candidate.once]
    standing = _blend(predictions, usable, common_depth(_knowing(predictions, usable), whole), members)
    while (deeper := min(whole, *(trial.depth for trial in standing.members))) > standing.depth:
        standing = _blend(predictions, usable, deeper, members)
    return standing


def _knowing(predictions: OutOfFold, usable: Sequence[Trial]) -> list[Trial]:
    """Return the trials that are on the better half of the way from chance to the best one, by their first folds."""
    task, rows = predictions.rows.task, predictions.covered(1)
    target = np.asarray(predictions.rows.target[rows])
    found = metric(task.metric, task)
    chance = loss_of(task.metric, task, target, constant_prediction(found, task, target))
    best = min(trial.first_loss for trial in usable)
    limit = best + _GAP * max(0.0, chance - best)
    return [trial for trial in usable if trial.first_loss <= limit]


def common_depth(usable: Sequence[Trial], most: int) -> int:
    """Return how many folds at least half of the trials have finished, a whole cross-validation at most."""
    depths = sorted((min(trial.depth, most) for trial in usable), reverse=True)
    return depths[(len(depths) - 1) // 2]


def _blend(predictions: OutOfFold, usable: Sequence[Trial], depth: int, members: int, *, gap: float = 1.0) -> Standing:
    """Return the best ensemble of the trials that have finished the first `depth` folds.

    Parameters
    ----------
    gap : float
        How far behind the best trial a member may be, as a share of the way from it to chance.
    """
    task = predictions.rows.task
    rows = predictions.covered(depth)
    target = np.asarray(predictions.rows.target[rows])
    # What knows no more than the mixture of the target only dilutes a blend, which a metric of order does not notice.
    found = metric(task.metric, task)
    chance = loss_of(task.metric, task, target, constant_prediction(found, task, target))
    compared = [trial for trial in usable if trial.depth >= depth]
    found_by = [predictions.prediction(trial, depth) for trial in compared]
    stack = np.nan_to_num(of_one_length(found_by)) if task.kind == "tokens" else np.stack(found_by)
    losses = np.array([loss_of(task.metric, task, target, one) for one in stack])
    limit = min(chance - 1e-3 * abs(chance), float(losses.min()) + gap * (chance - float(losses.min())))
    skilled = np.flatnonzero(losses <= limit)
    if len(skilled) == 0:
        skilled = np.array([int(np.argmin(losses))])
    size = np.array([trial.results[0].searched_bytes for trial in compared])
    while True:
        weights = greedy_weights(task, target, stack[skilled], members=members)
        chosen = np.flatnonzero(weights)
        if len(chosen) == 1 or size[skilled[chosen]].sum() <= MOST_BYTES_TOGETHER:
            break
        # Too large together: without the one that takes most room for its weight.
        skilled = np.delete(skilled, chosen[np.argmax(size[skilled[chosen]] / weights[chosen])])
    blend = np.tensordot(weights[chosen], stack[skilled[chosen]], axes=1)
    if task.kind == "tokens":
        blend[blend.sum(axis=2) == 0] = np.nan
    return Standing(
        members=tuple(compared[skilled[place]] for place in chosen),
        weights=weights[chosen],
        depth=depth,
        rows=rows,
        prediction=blend,
        loss=loss_of(task.metric, task, target, blend),
    )
