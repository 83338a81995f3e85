"""What a model is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TaskKind = Literal["binary", "multiclass", "regression", "quantile"]
Label = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be predicted from what, and how a prediction is judged.

    Parameters
    ----------
    kind : TaskKind
    target : str
        The column to predict.
    inputs : tuple of str
        The columns to predict it from, in order.
    metric : str
        Name of the metric that is optimised, as in ``luban.metrics``.
    classes : tuple of labels
        The labels in the order of their codes 0..K-1; the last one of a binary task is the positive one.
        Empty for regression and quantiles.
    quantiles : tuple of float
        The levels of a quantile task.
    horizon : int, optional
        Steps ahead, for series.
    groups : str, optional
        Column whose groups are never split between training and validation.
    constraints : mapping
        Wishes such as ``{"monotonic": {"age": 1}}``: with these columns predictions only rise (1) or fall (-1). A learner
        that cannot honour a wish does not suit the task.
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
        """Whether a prediction is one of `classes`."""
        return bool(self.classes)

    @property
    def outputs(self) -> int:
        """Width of a prediction: number of classes, of quantiles, or 1."""
        return len(self.classes) or len(self.quantiles) or 1
