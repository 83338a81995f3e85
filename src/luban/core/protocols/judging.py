"""What judges a model: figures of merit, and read-only checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from luban.core.protocols.learner import Examples
    from luban.core.report import Report
    from luban.core.task import Task


@runtime_checkable
class Metric(Protocol):
    """A figure of merit (group ``luban.metrics``), with scikit-learn's name where it has one."""

    name: str
    greater_is_better: bool
    kinds: tuple[str, ...]

    def __call__(
        self, task: Task, target: np.ndarray, prediction: np.ndarray, weight: np.ndarray | None = None
    ) -> float:
        """Return the score, in its natural sense, of `prediction` (as `Model.predict` gives it)."""


@runtime_checkable
class Check(Protocol):
    """A read-only examination (group ``luban.checks``)."""

    name: str

    def run(self, model: Any, examples: Examples, **options: Any) -> Report:
        """Examine a loaded model on examples and report."""
