"""Prefix tuning: learned keys and values before those of every attention layer (Li and Liang 2021, arXiv:2101.00190).

They are put in where transformers looks up how to attend, so that positions stay as they are and any network that
attends through that table can be adapted: of texts, pictures or sounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luban.core.errors import InputError, Unsupported
from luban.core.protocols import Suggestion, Suitable, Unsuitable
from luban.core.space import Choice, Real
from luban.foundation.training.jointly import jointly
from luban.foundation.way import Applied, Group, freeze, trained, unfoldable
from luban.foundation.ways.structure import transformer

if TYPE_CHECKING:
    from luban.core.space import Space
    from luban.core.task import Task
    from luban.foundation.backbone import Backbone
    from luban.foundation.training.work import Work
    from luban.foundation.way import Tensors

_ATTENTION = "luban_prefix"
_ATTRIBUTE = "luban_prefix"


@dataclass(frozen=True, kw_only=True)
class PrefixOptions:
    """How many keys and values are put before each layer's own.

    Parameters
    ----------
    tokens : int
    """

    tokens: int = 20


class Prefix:
    """Learned keys and values in every attention layer."""

    name = "prefix"
    options = PrefixOptions
    rate = 1e-2
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the network attends through the table of transformers."""
        del task
        found = transformer(backbone.body)
        if found is None or not getattr(getattr(*found), "_supports_sdpa", False):
            return Unsuitable("the backbone has no attention that keys and values of a prefix could be put before")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=80, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the number of keys."""
        del task
        return {"learning_rate": Real(1e-3, 5e-2, log=True), "tokens": Choice((5, 20, 50))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Watch one row pass to find the layers that attend, and give each its keys and values."""
        if options.tokens < 1:
            raise InputError("tokens must be at least 1", seen=str(options.tokens))
        body = backbone.body
        found = transformer(body)
        assert found is not None
        _register()
        getattr(*found).config._attn_implementation = _ATTENTION
        freeze(body)
        attending = _watch(body, tensors)
        if not attending:
            raise Unsupported(
                f"prefix cannot adapt {backbone.card.name}",
                seen="none of its layers attends where keys and values could be put in",
                remedy="Choose another way.",
            )
        for layer, key, value in attending:
            layer.add_module(_ATTRIBUTE, KeysAndValues(key, value, options.tokens))
        return Prefixed(body=body, groups=[Group(parameters=trained(body))])

    def learn(self, work: Work) -> None:
        """Train keys, values and head together."""
        jointly(work)


class KeysAndValues(nn.Module):
    """What stands before the keys and values of one layer.

    Parameters
    ----------
    key, value : torch.Tensor
        As the layer made them of a row, shape (n, heads, L, d): the new ones are drawn with their spread.
    tokens : int
    """

    def __init__(self, key: torch.Tensor, value: torch.Tensor, tokens: int) -> None:
        super().__init__()

        def drawn(like: torch.Tensor) -> nn.Parameter:
            spread = float(like.float().std()) if like.numel() > 1 else 1.0
            return nn.Parameter(0.5 * spread * torch.randn(like.shape[1], tokens, like.shape[3], device=like.device))

        self.keys = drawn(key)
        self.values = drawn(value)


class Prefixed(Applied):
    """A body with keys and values of its own in each attention layer."""

    def merge(self) -> None:
        """Refuse: they depend on no input."""
        raise unfoldable("learned keys and values depend on no input, so no layer's weights make them")


def _watch(body: nn.Module, tensors: Tensors) -> list[tuple[nn.Module, torch.Tensor, torch.Tensor]]:
    _seen.clear()
    training = body.training
    body.eval()
    try:
        with torch.no_grad():
            body(**{name: one for name, one in tensors.items() if name != "word_ids"})
        return list({id(layer): (layer, key, value) for layer, key, value in _seen}.values())
    finally:
        body.train(training)
        _seen.clear()


_seen: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []


def _register() -> None:
    """Tell transformers how to attend with a prefix, and that masks are made as for plain attention."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    AttentionInterface.register(_ATTENTION, attend)
    AttentionMaskInterface.register(_ATTENTION, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


def attend(
    layer: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers does, to the prefix of the layer too.

    Parameters
    ----------
    query, key, value : torch.Tensor
        Shape (n, heads, L, d).
    attention_mask : torch.Tensor, optional
        Shape (n or 1, heads or 1, L, L): boolean, or added to the scores.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    prefix = getattr(layer, _ATTRIBUTE, None)
    if prefix is None:
        _seen.append((layer, key, value))
    else:
        rows, count = key.shape[0], prefix.keys.shape[1]
        causal = options.get("is_causal")
        causal = getattr(layer, "is_causal", False) if causal is None else causal
        if attention_mask is None and causal:
            attention_mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
            attention_mask = attention_mask.tril()[None, None]
        if attention_mask is not None:
            open_ = attention_mask.new_full(
                (*attention_mask.shape[:3], count), float(attention_mask.dtype == torch.bool)
            )
            attention_mask = torch.cat([open_, attention_mask], dim=3)
        bias = options.get("position_bias")
        if bias is not None:
            options["position_bias"] = torch.cat([bias.new_zeros((*bias.shape[:3], count)), bias], dim=3)
        options["is_causal"] = False
        key = torch.cat([prefix.keys.to(key.dtype).unsqueeze(0).expand(rows, -1, -1, -1), key], dim=2)
        value = torch.cat([prefix.values.to(value.dtype).unsqueeze(0).expand(rows, -1, -1, -1), value], dim=2)
    attended: tuple[torch.Tensor, None] = sdpa_attention_forward(layer, query, key, value, attention_mask, **options)
    return attended
