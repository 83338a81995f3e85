"""Full fine-tuning: all weights learn, those near the input more slowly (Howard and Ruder 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.foundation.training.jointly import jointly
from luban.foundation.way import Applied, Group, Tensors, freeze
from luban.foundation.ways.structure import embedding_parameters, staged

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work


@dataclass(frozen=True, kw_only=True)
class FullOptions:
    """How all weights are trained.

    Parameters
    ----------
    decay : float
        Each stage of the body learns at this share of the rate of the stage after it; 1 for one rate.
    embeddings : bool
        Whether look-up tables of tokens learn too. They hold half of a small model's weights, and most of their rows
        are seen too rarely to learn; frozen they save that half of the optimizer's work and memory.
    """

    decay: float = 0.9
    embeddings: bool = False


class Full:
    """Train every weight of the body."""

    name = "full"
    options = FullOptions
    rate = 5e-5
    rewrites = True
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return that any body with weights will do."""
        del task
        if next(backbone.body.parameters(), None) is None:
            return Unsuitable("the backbone has no weights")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=40, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and its decay."""
        del task
        return {"learning_rate": Real(1e-5, 3e-4, log=True), "decay": Real(0.75, 1.0)}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Unfreeze the weights, a group a stage."""
        del tensors
        if not 0.0 < options.decay <= 1.0:
            raise InputError("decay must be above 0 and at most 1", seen=str(options.decay))
        body = backbone.body
        freeze(body)
        kept = set() if options.embeddings else embedding_parameters(body)
        parameters = {name: one for name, one in body.named_parameters() if name not in kept}
        stages: dict[int, dict[str, Any]] = {}
        for stage, name in staged(list(parameters), backbone.stages):
            stages.setdefault(stage, {})[name] = parameters[name].requires_grad_()
        last = max(stages, default=0)
        groups = [
            Group(parameters=found, scale=options.decay ** (last - stage)) for stage, found in sorted(stages.items())
        ]
        return Applied(body=body, groups=groups)

    def learn(self, work: Work) -> None:
        """Train body and head together."""
        jointly(work)
