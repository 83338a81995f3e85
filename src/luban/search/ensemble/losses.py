"""The loss of many blends at once.

The greedy search judges hundreds of blends of the same predictions. For the metrics most used, what of a
prediction matters is a vector a row, and the losses of all blends are a few array operations. For any
other metric each blend is judged by the metric itself, on an even sample of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics import loss as loss_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.task import Task

# More rows than these are judged by an even sample of them, where the metric has no fast form.
MOST_ROWS = 20_000
# What a unit of log loss counts beside a unit of error, where decisions are judged.
LOG_LOSS_SHARE = 0.1


@dataclass(frozen=True)
class Judge:
    """How blends are judged.

    Parameters
    ----------
    features : numpy.ndarray
        What of each member's prediction matters, shape (members, rows) or (members, rows, outputs): the feature of a
        blend is the same blend of the features.
    losses : callable
        From the features of B blends, shape (B, rows, ...), to losses, shape (B,).
    """

    features: np.ndarray
    losses: Callable[[np.ndarray], np.ndarray]


def judge(task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    """Return how to judge blends of these predictions, shape (members, rows) or (members, rows, outputs)."""
    fast = _FAST.get((task.metric, task.kind))
    if fast is not None:
        return fast(task, target, predictions)
    rows = _even_sample(len(target), task.outputs)
    kept = target[rows]

    def losses(blends: np.ndarray) -> np.ndarray:
        return np.array([loss_of(task.metric, task, kept, blend) for blend in blends])

    return Judge(np.ascontiguousarray(predictions[:, rows]), losses)


def _even_sample(rows: int, outputs: int) -> np.ndarray:
    most = max(MOST_ROWS // 4, 2 * MOST_ROWS // max(2, outputs))
    sample: np.ndarray = np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))
    return sample


def _log_loss(_task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    given = predictions[:, np.arange(len(target)), target]
    smallest = np.finfo(np.float64).eps
    return Judge(given, lambda blends: -np.log(np.clip(blends, smallest, 1 - smallest)).mean(axis=1))


def _rmse(_task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    return Judge(predictions - target, lambda errors: np.sqrt(np.einsum("bn,bn->b", errors, errors) / len(target)))


def _r2(_task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    spread = max(float(((target - target.mean()) ** 2).sum()), np.finfo(np.float64).tiny)
    return Judge(predictions - target, lambda errors: np.einsum("bn,bn->b", errors, errors) / spread)


def _mae(_task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    return Judge(predictions - target, lambda errors: np.abs(errors).mean(axis=1))


def _pinball(task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    levels = np.array(task.quantiles)

    def losses(errors: np.ndarray) -> np.ndarray:
        lost: np.ndarray = np.maximum(-levels * errors, (1 - levels) * errors).mean(axis=(1, 2))
        return lost

    return Judge(predictions - target[:, None], losses)


def _accuracy(task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    """Judge by the error and, lightly, by the log loss.

    Which of two blends decides a handful of rows better is chance; how sure they are of the others is not. On
    covertype_sample the error alone gave a linear model of 72 % accuracy a sixth of the weight beside boosters of 88 %,
    at the price of 0.4 points on new rows.
    """
    rows = _even_sample(len(target), task.outputs)
    kept = target[rows]
    places = np.arange(len(rows))
    smallest = np.finfo(np.float64).eps

    def losses(blends: np.ndarray) -> np.ndarray:
        # Of equally probable classes the first is decided for.
        error: np.ndarray = (blends.argmax(axis=2) != kept).mean(axis=1)
        given = np.clip(blends[:, places, kept], smallest, 1.0)
        loss: np.ndarray = error - LOG_LOSS_SHARE * np.log(given).mean(axis=1)
        return loss

    return Judge(np.ascontiguousarray(predictions[:, rows]), losses)


def _roc_auc(_task: Task, target: np.ndarray, predictions: np.ndarray) -> Judge:
    """Sort 32-bit numbers that hold the score above and the class in the last bit: no permutation is needed."""
    positive = (target == 1).astype(np.uint32)
    positives = int(positive.sum())
    pairs = positives * (len(target) - positives)

    def losses(blends: np.ndarray) -> np.ndarray:
        # Non-negative floats are ordered as the whole numbers that their bits are.
        bits = blends.astype(np.float32).view(np.uint32)
        tagged = (bits & np.uint32(0xFFFFFFFE)) | positive
        tagged.sort(axis=1)
        return np.array([1 - _wins(row) / pairs if pairs else np.inf for row in tagged])

    def _wins(tagged: np.ndarray) -> float:
        winner = (tagged & np.uint32(1)).astype(np.float64)
        beaten = np.cumsum(1 - winner)
        wins = float(winner @ beaten)
        # Pairs of equal score count half; with the class in the last bit they stand negatives first.
        score = tagged >> np.uint32(1)
        starts = np.flatnonzero(np.concatenate(([True], score[1:] != score[:-1])))
        if len(starts) == len(tagged):
            return wins
        above = np.add.reduceat(winner, starts)
        size = np.diff(np.append(starts, len(tagged)))
        return wins - 0.5 * float(above @ (size - above))

    return Judge(np.clip(predictions[:, :, 1], 0.0, 1.0), losses)


_FAST: Mapping[tuple[str, str], Callable[[Task, np.ndarray, np.ndarray], Judge]] = {
    ("log_loss", "binary"): _log_loss,
    ("log_loss", "multiclass"): _log_loss,
    ("accuracy", "binary"): _accuracy,
    ("accuracy", "multiclass"): _accuracy,
    ("roc_auc", "binary"): _roc_auc,
    ("rmse", "regression"): _rmse,
    ("r2", "regression"): _r2,
    ("mae", "regression"): _mae,
    ("pinball", "quantile"): _pinball,
}
