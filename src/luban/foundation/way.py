"""A way to adapt a backbone: what of its body is trained, what is added to it, and how that is folded back.

A way is one file in ``foundation/ways/`` and an entry of group ``luban.ways``. It says from the look of a body
whether it suits it; nothing decides by the name of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from luban.core.errors import InputError, Unsupported
from luban.core.serial import from_json

if TYPE_CHECKING:
    import torch
    from torch import nn

    from luban.core.protocols import Suggestion, Suitable, Unsuitable
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work

Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters that learn at one rate.

    Parameters
    ----------
    parameters : mapping of str to torch.nn.Parameter
        By their names in the body.
    scale : float
        Of the learning rate.
    """

    parameters: Mapping[str, nn.Parameter]
    scale: float = 1.0


@dataclass(kw_only=True)
class Applied:
    """A way as it was applied to one body.

    Parameters
    ----------
    body : torch.nn.Module
        It is changed in place.
    groups : sequence of Group
        What is trained of it; everything else is frozen.
    longest : int, optional
        Most steps that a row may have, where the way needs some of the body's for itself.
    """

    body: nn.Module
    groups: Sequence[Group] = field(default_factory=tuple)
    longest: int | None = None

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """All that is trained, by name."""
        return {name: one for group in self.groups for name, one in group.parameters.items()}

    def penalty(self) -> torch.Tensor | None:
        """Return what the way adds to the loss of a step, if anything."""
        return None

    def stepped(self, progress: float) -> None:
        """Take note of a step of the optimizer, before its gradients are dropped; `progress` goes from 0 to 1."""

    def state(self) -> dict[str, torch.Tensor]:
        """Return what must outlive an interruption beside the parameters."""
        return {}

    def restore(self, state: Tensors) -> None:
        """Take back what `state` returned."""

    def merge(self) -> None:
        """Fold what was added into plain weights, so that the body has the form it had before.

        Raises
        ------
        Unsupported
            Saying why that cannot be done.
        """


@runtime_checkable
class Way(Protocol):
    """A way to adapt a backbone (group ``luban.ways``). It holds no state.

    Attributes
    ----------
    name : str
        Its entry point.
    options : type
        A frozen dataclass: its parameters, with their documentation.
    rate : float
        The learning rate that is good as a rule.
    rewrites : bool
        Whether most weights of the body change: then the whole body is kept with the model, else the body as it was
        and what changed beside it.
    reads_only : bool
        Whether nothing of the body is trained, nor beside it: only a head learns from what the body makes of the rows.
    """

    name: str
    options: type
    rate: float
    rewrites: bool
    reads_only: bool

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether this body can be adapted so, and if not why, in words."""

    def suggestions(self, task: Task) -> Sequence[Suggestion]:
        """Return parameters worth trying without search."""

    def space(self, task: Task) -> Space:
        """Return the parameters to search over."""

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Change the body in place and return what is trained of it.

        Parameters
        ----------
        options
            An instance of `Way.options`.
        tensors : mapping of str to torch.Tensor
            Of one row, for ways that must see the body at work.
        """

    def learn(self, work: Work) -> None:
        """Train until the work is done or its time is up; ``work.network`` then holds the best state."""


@runtime_checkable
class Repeating(Protocol):
    """Ability of a way: its options say how often it passes over the rows; a forecast counts one pass."""

    def passes(self, options: Any, rows: int) -> int:
        """Return how often it passes over so many rows at most."""


@runtime_checkable
class Solving(Protocol):
    """Ability of a way that only reads: it solves for a head, which takes a time of its own."""

    def solutions(self, options: Any) -> int:
        """Return how often it solves for all rows at most."""


def freeze(body: nn.Module) -> None:
    """Stop all gradients of a body."""
    for parameter in body.parameters():
        parameter.requires_grad_(requires_grad=False)


def trained(body: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that have gradients, by name."""
    return {name: one for name, one in body.named_parameters() if one.requires_grad}


def split_options(parameters: Mapping[str, Any], *kinds: type) -> list[Any]:
    """Return one instance of each dataclass, filled from the parameters that are its fields.

    Raises
    ------
    InputError
        If a parameter is no field of any, or is of the wrong type.
    """
    known = {one.name: kind for kind in kinds for one in fields(kind)}
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InputError(f"unknown parameter {unknown[0]!r}", remedy=f"Known parameters: {', '.join(sorted(known))}.")
    return [
        from_json(kind, {name: value for name, value in parameters.items() if known[name] is kind}) for kind in kinds
    ]


def unfoldable(reason: str) -> Unsupported:
    """Return the error of a way that cannot fold what it added into the weights."""
    return Unsupported(
        "what was added cannot be folded into the weights",
        seen=reason,
        remedy="It is exported as it stands: the graph holds the added parts.",
    )


Report = Callable[[int, float], bool]
