"""What a model is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TaskKind = Literal["binary", "multiclass", "matching", "multilabel", "tokens", "regression", "quantile", "foreign"]
PLAIN: tuple[TaskKind, ...] = ("binary", "multiclass", "regression", "quantile")
"""The kinds that a learner is made for where it does not say so."""
Label = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be predicted from what, and how a prediction is judged.

    Parameters
    ----------
    kind : TaskKind
        ``matching`` finds the answer to a text among those known, or none (a prediction is one of `classes`, which may
        be thousands); ``multilabel`` gives a row any number of labels; ``tokens`` gives each word of a text a label;
        ``foreign`` is what another tool's model does, of which nothing is known.
    target : str
        The column to predict.
    inputs : tuple of str
        The columns to predict it from, in order.
    metric : str
        Name of the metric that is optimised, as in ``luban.metrics``.
    classes : tuple of labels
        The labels in the order of their codes 0..K-1; the last one of a binary task is the positive one.
        Empty for regression and quantiles; for matching the answers, for multilabel and tokens the labels.
    quantiles : tuple of float
        The levels of a quantile task.
    horizon : int, optional
        Steps ahead, for series.
    groups : str, optional
        Column whose groups are never split between training and validation.
    constraints : mapping
        Wishes. ``{"monotonic": {"age": 1}}``: predictions only rise (1) or fall (-1); a learner that cannot honour it
        does not suit the task. ``{"backbone": "minilm"}``: those that stand on a pre-trained network take this one.
        ``{"adapt": {"way": "lora"}}``: it is fine-tuned in this way, with these parameters.
    """

    kind: TaskKind
    target: str
    inputs: tuple[str, ...]
    metric: str
    classes: tuple[Label, ...] = ()
    quantiles: tuple[float, ...] = ()
    horizon: int | None = None
    groups: str | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classifies(self) -> bool:
        """Whether a row's prediction is one of `classes`."""
        return self.kind in ("binary", "multiclass", "matching")

    @property
    def outputs(self) -> int:
        """Width of a prediction: number of classes, of quantiles, or 1."""
        return len(self.classes) or len(self.quantiles) or 1
