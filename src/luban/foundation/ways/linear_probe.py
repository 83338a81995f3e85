"""A linear probe: the body stays as it is, and a linear model learns from its vectors (Alain and Bengio 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suggestion, Suitable
from luban.foundation.training.probe import probe, solutions
from luban.foundation.way import Applied, freeze

if TYPE_CHECKING:
    from luban.core.protocols import Unsuitable
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Tensors


@dataclass(frozen=True, kw_only=True)
class LinearProbeOptions:
    """How much the linear model is held back.

    Parameters
    ----------
    penalty : float, optional
        Of the squared weights, for vectors of unit spread; chosen on held-out rows by default.
    """

    penalty: float | None = None


class LinearProbe:
    """Frozen features and a linear model: the quickest way, and hard to beat with few rows."""

    name = "linear_probe"
    options = LinearProbeOptions
    rate = 1e-2
    rewrites = False
    reads_only = True

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return that any backbone will do."""
        del backbone, task
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the one that needs nothing."""
        del task
        return [Suggestion(order=10)]

    def space(self, task: Task) -> Space:
        """Return nothing: the penalty is chosen within the fit."""
        del task
        return {}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Freeze the body."""
        del options, tensors
        freeze(backbone.body)
        return Applied(body=backbone.body)

    def solutions(self, options: Any) -> int:
        """Return how often the head is solved for: many times where its penalty is chosen."""
        return solutions(options.penalty)

    def learn(self, work: Work) -> None:
        """Compute the vectors once and fit the head on them."""
        probe(work, penalty=work.options.penalty)
