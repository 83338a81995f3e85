"""What LoRA and its relatives share: which layers they stand beside, and how peft puts them there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from luban.core.errors import InputError
from luban.core.protocols import Suitable, Unsuitable
from luban.foundation.way import Applied, Group, freeze, trained
from luban.foundation.ways.structure import convolutions, linear_layers

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone

ADAPTER = "default"


def low_rank_layers(body: nn.Module, *, computed: bool = False) -> list[str]:
    """Return the names of the layers that a low-rank product can stand beside.

    Parameters
    ----------
    computed : bool
        Whether the way computes what the layer itself gives from its weights, as `torch.nn.Conv2d` would: then
        convolutions that pad in a manner of their own are left as they are, but for those of one point, which pad
        nothing.
    """
    found = convolutions(body)
    if computed:
        found = {name: one for name, one in found.items() if type(one) is nn.Conv2d or set(one.kernel_size) == {1}}
    return [*linear_layers(body), *found]


def supports_low_rank(backbone: Backbone, *, computed: bool = False) -> Suitable | Unsuitable:
    """Return whether there is a dense layer, or a convolution over all channels, in the body."""
    if not low_rank_layers(backbone.body, computed=computed):
        return Unsuitable("the backbone has no dense layer or convolution that a low-rank product could stand beside")
    return Suitable()


def check_rank(rank: int, alpha: float) -> None:
    """Raise `InputError` where the rank or the scale makes no sense."""
    if rank < 1 or alpha <= 0:
        raise InputError("rank must be at least 1 and alpha above 0", seen=f"rank={rank}, alpha={alpha}")


class Tuned(Applied):
    """A body with layers that peft put in."""

    def __init__(self, body: nn.Module, tuner: Any) -> None:
        super().__init__(body=body, groups=[Group(parameters=trained(body))])
        self.tuner = tuner

    def merge(self) -> None:
        """Add the products to the weights and take the layers out."""
        self.tuner.merge_and_unload(progressbar=False)


def tune(body: nn.Module, tuner: Any, configuration: Any) -> Any:
    """Freeze the body, let peft put its layers into it in place, and return peft's model around it."""
    import warnings

    freeze(body)
    training = body.training
    with warnings.catch_warnings():
        # It speaks of generation and of tied weights, which no body has here.
        warnings.simplefilter("ignore")
        made = tuner(body, configuration, ADAPTER)
    body.train(training)
    return made
