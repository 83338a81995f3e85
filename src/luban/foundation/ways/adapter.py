"""Bottleneck adapters: two thin layers behind each feed-forward layer (Pfeiffer and others 2021, arXiv:2005.00247)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from luban.core.errors import InputError
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.foundation.training.jointly import jointly
from luban.foundation.way import Applied, Group, freeze, trained, unfoldable
from luban.foundation.ways.structure import narrowing, shape

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Tensors


@dataclass(frozen=True, kw_only=True)
class AdapterOptions:
    """How narrow the bottleneck is.

    Parameters
    ----------
    reduction : int
        The bottleneck is so many times narrower than what it stands behind.
    """

    reduction: int = 8


class Adapter:
    """Small layers behind each feed-forward layer, added to what it gives."""

    name = "adapter"
    options = AdapterOptions
    rate = 5e-4
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether there are feed-forward layers."""
        del task
        if not narrowing(backbone.body):
            return Unsuitable("the backbone has no feed-forward layer that an adapter could stand behind")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=65, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the width."""
        del task
        return {"learning_rate": Real(1e-4, 3e-3, log=True), "reduction": Choice((2, 8, 16))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put the adapters behind the layers; they start as zero."""
        del tensors
        if options.reduction < 1:
            raise InputError("reduction must be at least 1", seen=str(options.reduction))
        body = backbone.body
        freeze(body)
        for name, layer in narrowing(body).items():
            parent, _, own = name.rpartition(".")
            width = shape(layer)[1]
            setattr(body.get_submodule(parent), own, Bottleneck(layer, width, max(1, width // options.reduction)))
        return Bottlenecks(body=body, groups=[Group(parameters=trained(body))])

    def learn(self, work: Work) -> None:
        """Train adapters and head together."""
        jointly(work)


class Bottleneck(nn.Module):
    """A layer and the adapter behind it: ``h + up(gelu(down(h)))`` for what the layer gives.

    Parameters
    ----------
    layer : torch.nn.Module
    width, narrow : int
        Of what the layer gives, and of the bottleneck.
    """

    def __init__(self, layer: nn.Module, width: int, narrow: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(width, narrow)
        self.up = nn.Linear(narrow, width)
        nn.init.normal_(self.down.weight, std=0.02)
        for one in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(one)
        place = next(layer.parameters())
        self.down.to(place.device, place.dtype)
        self.up.to(place.device, place.dtype)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return what the layer gives, with what the adapter adds."""
        given: torch.Tensor = self.layer(values)
        added: torch.Tensor = self.up(functional.gelu(self.down(given)))
        return given + added


class Bottlenecks(Applied):
    """A body with adapters."""

    def merge(self) -> None:
        """Refuse: what bends is no product of weights."""
        raise unfoldable("between the two layers of an adapter is a bend (GELU)")
