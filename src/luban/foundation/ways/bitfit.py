"""BitFit: only the biases learn (Ben Zaken and others 2022, arXiv:2106.10199)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Real
from luban.foundation.training.jointly import jointly
from luban.foundation.way import Applied, Group, freeze

if TYPE_CHECKING:
    from torch import nn

    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Tensors


@dataclass(frozen=True, kw_only=True)
class BitfitOptions:
    """Nothing is to be chosen: all biases learn."""


class Bitfit:
    """Train the biases of the body: a thousandth of its weights."""

    name = "bitfit"
    options = BitfitOptions
    rate = 1e-3
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the body has biases."""
        del task
        if not biases(backbone.body):
            return Unsuitable("the layers of the backbone have no biases")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=72, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate."""
        del task
        return {"learning_rate": Real(1e-4, 1e-2, log=True)}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Unfreeze the biases."""
        del options, tensors
        freeze(backbone.body)
        found = biases(backbone.body)
        for one in found.values():
            one.requires_grad_()
        return Applied(body=backbone.body, groups=[Group(parameters=found)])

    def learn(self, work: Work) -> None:
        """Train biases and head together."""
        jointly(work)


def biases(body: nn.Module) -> dict[str, nn.Parameter]:
    """Return the biases of a body, by name."""
    return {name: one for name, one in body.named_parameters() if name.rpartition(".")[2] == "bias"}
