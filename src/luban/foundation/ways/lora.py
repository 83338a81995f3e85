"""LoRA: a product of two thin matrices beside each layer (Hu and others 2021, arXiv:2106.09685)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.foundation.training.jointly import jointly
from luban.foundation.ways.low_rank import Tuned, check_rank, low_rank_layers, supports_low_rank, tune

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Applied, Tensors


@dataclass(frozen=True, kw_only=True)
class LoraOptions:
    """How thin the matrices are.

    Parameters
    ----------
    rank : int
        Their thin side.
    alpha : float, optional
        The product is scaled by alpha / rank; twice the rank by default.
    adapter_dropout : float
        Share of a layer's input that its product does not see in training.
    """

    rank: int = 16
    alpha: float | None = None
    adapter_dropout: float = 0.05


class Lora:
    """Low-rank products beside all dense layers, and beside the convolutions of a net for pictures."""

    name = "lora"
    options = LoraOptions
    rate = 5e-4
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the body has a layer for it."""
        del task
        return supports_low_rank(backbone)

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=50, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the rank."""
        del task
        return {"learning_rate": Real(1e-4, 3e-3, log=True), "rank": Choice((4, 8, 16, 32))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put the products beside the layers; they start as zero."""
        del tensors
        return put(backbone, options, dora=False)

    def learn(self, work: Work) -> None:
        """Train products and head together."""
        jointly(work)


def put(backbone: Backbone, options: LoraOptions, *, dora: bool) -> Applied:
    """Put low-rank products, with magnitudes of their own for DoRA, beside the layers of a body."""
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    alpha = 2.0 * options.rank if options.alpha is None else options.alpha
    check_rank(options.rank, alpha)
    configuration = LoraConfig(
        r=options.rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=options.adapter_dropout,
        target_modules=low_rank_layers(backbone.body, computed=dora),
        use_dora=dora,
    )
    return Tuned(backbone.body, tune(backbone.body, LoraModel, configuration))
