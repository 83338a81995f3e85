"""What a task asks of a network: how wide its margins are, by what loss it learns and by what score it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import torch

    from luban.core.task import Task
    from luban.foundation.heads.head import Head

_OF_DECISIONS = frozenset(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "precision", "recall", "matthews_corrcoef")
)


class Objective(Protocol):
    """The losses of one task; all work on batches of margins and targets, never on the network."""

    width: int

    def head(self, dimension: int, dropout: float) -> Head:
        """Return a new head, with biases and scale set from the training target."""

    def encode(self, target: np.ndarray) -> torch.Tensor:
        """Return the target as a tensor with one entry a row."""

    def weights(self, target: torch.Tensor) -> torch.Tensor:
        """Return how much each row counts, shape (n,)."""

    def losses(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row times its weight, shape (n,)."""

    def errors(self, margins: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return how many decisions of each row are wrong, weighted, shape (n,)."""


def criterion(task: Task, objective: Objective, margins: torch.Tensor, target: torch.Tensor) -> tuple[float, float]:
    """Return (criterion, loss) of validation rows, both lower is better.

    The criterion is the loss, but for metrics that judge decisions: there it is the share of wrong ones, and the loss
    settles what is equal.
    """
    weight = float(objective.weights(target).sum())
    loss = float(objective.losses(margins, target).sum()) / max(weight, 1e-12)
    if task.metric not in _OF_DECISIONS:
        return loss, loss
    wrong = float(objective.errors(margins, target).sum()) / max(weight, 1e-12)
    return wrong + 0.01 * loss, loss


def objective_for(
    task: Task, target: np.ndarray | None, *, balanced: bool = False, smoothing: float = 0.0
) -> Objective:
    """Return the objective of a task.

    Parameters
    ----------
    target : numpy.ndarray, optional
        Of the training rows: class weights, priors and scales come from it. Not needed to load a model.
    balanced : bool
        Whether each class counts the same in all, however rare it is.
    smoothing : float
        Share of each label that is spread over all classes (Szegedy and others 2016).
    """
    from luban.foundation.heads import classes, multilabel, numbers, words

    makers: Mapping[str, Callable[..., Objective]] = {
        "binary": classes.Binary,
        "multiclass": classes.Multiclass,
        "multilabel": multilabel.Multilabel,
        "regression": numbers.Regression,
        "quantile": numbers.Quantile,
        "tokens": words.Words,
    }
    if task.kind not in makers:
        raise Unsupported(f"no head is made for the task {task.kind}", remedy=f"There are: {', '.join(makers)}.")
    return makers[task.kind](task, target, balanced=balanced, smoothing=smoothing)
