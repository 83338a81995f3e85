"""(IA)³: factors on keys, values and the inside of feed-forward layers (Liu and others 2022, arXiv:2205.05638)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.foundation.training.jointly import jointly
from luban.foundation.ways.low_rank import Tuned, tune
from luban.foundation.ways.structure import keys_and_values, narrowing

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Applied, Tensors


@dataclass(frozen=True, kw_only=True)
class Ia3Options:
    """Nothing is to be chosen: one factor a number."""


class Ia3:
    """One factor for each key, value and inner number of a feed-forward layer: some thousand parameters in all."""

    name = "ia3"
    options = Ia3Options
    rate = 1e-2
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether there are keys and values to scale."""
        del task
        if not keys_and_values(backbone.body):
            return Unsuitable("the backbone has no layers that make keys and values of attention to scale")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=75, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate."""
        del task
        return {"learning_rate": Real(1e-3, 5e-2, log=True)}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put factors of one on the layers."""
        del options, tensors
        from peft import IA3Config
        from peft.tuners.ia3 import IA3Model

        inside = narrowing(backbone.body)
        configuration = IA3Config(
            target_modules=[*keys_and_values(backbone.body), *inside], feedforward_modules=list(inside)
        )
        return Tuned(backbone.body, tune(backbone.body, IA3Model, configuration))

    def learn(self, work: Work) -> None:
        """Train factors and head together."""
        jointly(work)
