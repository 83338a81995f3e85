"""DoRA: low-rank products that turn weights, and lengths that learn apart (Liu and others 2024, arXiv:2402.09353)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.foundation.training.jointly import jointly
from luban.foundation.ways.lora import LoraOptions, put
from luban.foundation.ways.low_rank import supports_low_rank

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Applied, Tensors


@dataclass(frozen=True, kw_only=True)
class DoraOptions(LoraOptions):
    """How thin the matrices are; as for LoRA."""

    rank: int = 8


class Dora:
    """LoRA with lengths of their own; of more worth at small ranks, and a third slower."""

    name = "dora"
    options = DoraOptions
    rate = 5e-4
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the body has a layer for it."""
        del task
        return supports_low_rank(backbone, computed=True)

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=60, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the rank."""
        del task
        return {"learning_rate": Real(1e-4, 3e-3, log=True), "rank": Choice((4, 8, 16))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put products and lengths beside the layers; at first they change nothing."""
        del tensors
        return put(backbone, options, dora=True)

    def learn(self, work: Work) -> None:
        """Train products, lengths and head together."""
        jointly(work)
