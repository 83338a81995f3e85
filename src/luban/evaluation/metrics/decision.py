"""Metrics of decisions: functions of the confusion matrix alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from luban.evaluation.metrics import matching, multilabel, tokens
from luban.evaluation.metrics.score import CLASSES, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from luban.core.task import Task
    from luban.evaluation.metrics.score import Function


@dataclass(frozen=True, kw_only=True)
class DecisionScore:
    """A metric made from a function of the confusion matrix.

    Parameters
    ----------
    from_confusion : callable
        Takes matrices of shape (B, K, K), true classes along the rows, and returns an array of shape (B,).
    others : mapping of str to callable
        By the kind of a task whose decisions make no such matrix, how it is scored, as `Score.function`.
    """

    name: str
    greater_is_better: bool
    kinds: tuple[str, ...]
    from_confusion: Callable[[np.ndarray], np.ndarray]
    others: Mapping[str, Function] = field(default_factory=dict)
    decisions: bool = True

    def __call__(
        self, task: Task, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """Return the score of deciding for the most probable class.

        Raises
        ------
        InputError
            If the shapes disagree or a prediction is not finite.
        """
        checked(task, target, prediction)
        if task.kind in self.others:
            ones = np.ones((1, len(target))) if weight is None else np.asarray(weight, dtype=np.float64)[None, :]
            return float(self.others[task.kind](task, target, prediction, ones)[0])
        weights = None if weight is None else np.asarray(weight, dtype=np.float64)[None, :]
        return float(self.from_confusion(confusion(target, decide(prediction), len(task.classes), weights))[0])

    def resampled(self, task: Task, target: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the score under each of B weightings of the rows, shape (B,)."""
        if task.kind in self.others:
            return self.others[task.kind](task, target, prediction, weights)
        return self.from_confusion(confusion(target, decide(prediction), len(task.classes), weights))


def decide(prediction: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the class codes decided for, shape (n,), from probabilities (n, K).

    The most probable class; with a `threshold` (binary tasks) the positive class from that probability on.
    """
    if threshold is None:
        codes: np.ndarray = prediction.argmax(axis=1)
    else:
        codes = (prediction[:, 1] >= threshold).astype(np.int64)
    return codes


def confusion(target: np.ndarray, decided: np.ndarray, classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Return confusion matrices, shape (B, K, K): true classes along the rows, decided ones along the columns.

    Parameters
    ----------
    target, decided : numpy.ndarray
        Class codes, shape (n,).
    classes : int
        K.
    weights : numpy.ndarray, optional
        Shape (B, n); one matrix of unit weights without it.
    """
    cells = target * classes + decided
    size = classes * classes
    if weights is None:
        counted = np.bincount(cells, minlength=size)[None, :].astype(np.float64)
    else:
        counted = np.stack([np.bincount(cells, weights=one, minlength=size) for one in weights])
    return counted.reshape(-1, classes, classes)


_ACCURACIES: Mapping[str, Function] = {
    "matching": matching.top,
    "multilabel": multilabel.subset,
    "tokens": tokens.accuracy_of_words,
}
_MACROS: Mapping[str, Function] = {"multilabel": multilabel.macro, "tokens": tokens.macro_of_words}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return share


def _accuracy(matrix: np.ndarray) -> np.ndarray:
    return _share(np.einsum("bkk->b", matrix), matrix.sum(axis=(1, 2)))


def _balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    true = matrix.sum(axis=2)
    recalls = _share(np.einsum("bkk->bk", matrix), true)
    return _share(recalls.sum(axis=1), (true > 0).sum(axis=1).astype(np.float64))


def _precision(matrix: np.ndarray) -> np.ndarray:
    return _share(matrix[:, 1, 1], matrix[:, :, 1].sum(axis=1))


def _recall(matrix: np.ndarray) -> np.ndarray:
    return _share(matrix[:, 1, 1], matrix[:, 1, :].sum(axis=1))


def f1_by_class(matrix: np.ndarray) -> np.ndarray:
    """Return the F1 score of each class, shape (B, K), 0 where undefined."""
    return _share(2 * np.einsum("bkk->bk", matrix), matrix.sum(axis=2) + matrix.sum(axis=1))


def _f1(matrix: np.ndarray) -> np.ndarray:
    return f1_by_class(matrix)[:, 1]


def _f1_macro(matrix: np.ndarray) -> np.ndarray:
    present = (matrix.sum(axis=2) + matrix.sum(axis=1)) > 0
    return _share(f1_by_class(matrix).sum(axis=1), present.sum(axis=1).astype(np.float64))


def _matthews(matrix: np.ndarray) -> np.ndarray:
    # Gorodkin (2004): the correlation of true and decided classes, for any number of classes.
    true, decided = matrix.sum(axis=2), matrix.sum(axis=1)
    total = matrix.sum(axis=(1, 2))
    covariance = np.einsum("bkk->b", matrix) * total - (true * decided).sum(axis=1)
    spread = (total**2 - (decided**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return _share(covariance, np.sqrt(np.maximum(spread, 0.0)))


accuracy = DecisionScore(
    name="accuracy",
    greater_is_better=True,
    kinds=(*CLASSES, *_ACCURACIES),
    from_confusion=_accuracy,
    others=_ACCURACIES,
)
"""Share of the rows decided rightly: for multilabel with all their labels; for tokens the share of the words."""

balanced_accuracy = DecisionScore(
    name="balanced_accuracy", greater_is_better=True, kinds=CLASSES, from_confusion=_balanced_accuracy
)
"""Mean recall over the classes present."""

precision = DecisionScore(name="precision", greater_is_better=True, kinds=("binary",), from_confusion=_precision)
"""Share of the rows decided positive that are positive; 0 where none is."""

recall = DecisionScore(name="recall", greater_is_better=True, kinds=("binary",), from_confusion=_recall)
"""Share of the positive rows decided positive."""

f1 = DecisionScore(name="f1", greater_is_better=True, kinds=("binary",), from_confusion=_f1)
"""Harmonic mean of precision and recall of the positive class."""

f1_macro = DecisionScore(
    name="f1_macro", greater_is_better=True, kinds=(*CLASSES, *_MACROS), from_confusion=_f1_macro, others=_MACROS
)
"""Unweighted mean of the classes' F1 scores, over the classes that are true or decided somewhere."""

matthews_corrcoef = DecisionScore(
    name="matthews_corrcoef", greater_is_better=True, kinds=CLASSES, from_confusion=_matthews
)
"""Correlation of true and decided classes, -1 to 1."""
