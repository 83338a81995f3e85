"""Prompt tuning: learned vectors in front of the tokens' own (Lester and others 2021, arXiv:2104.08691)."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luban.core.errors import InputError
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


@dataclass(frozen=True, kw_only=True)
class PromptOptions:
    """How many vectors are put in front.

    Parameters
    ----------
    tokens : int
        They take the place of so many tokens of the longest text.
    """

    tokens: int = 20


class Prompt:
    """Learned vectors before the first token; nothing else changes."""

    name = "prompt"
    options = PromptOptions
    rate = 2e-2
    rewrites = False
    reads_only = False

    def supports(self, backbone: Backbone, task: Task) -> Suitable | Unsuitable:
        """Return whether the network takes vectors in place of token numbers."""
        del task
        if table(backbone.body) is None:
            return Unsuitable("the backbone takes no vectors in place of tokens, so none can be put in front")
        return Suitable()

    def suggestions(self, task: Task) -> list[Suggestion]:
        """Return the published default."""
        del task
        return [Suggestion(order=85, once=True)]

    def space(self, task: Task) -> Space:
        """Return the rate and the number of vectors."""
        del task
        return {"learning_rate": Real(3e-3, 1e-1, log=True), "tokens": Choice((5, 20, 50))}

    def apply(self, backbone: Backbone, options: Any, tensors: Tensors) -> Applied:
        """Put vectors in front; they start as those of tokens drawn at random."""
        del tensors
        body = backbone.body
        found = transformer(body)
        rows = table(body)
        assert found is not None
        assert rows is not None
        parent, own = found
        network = getattr(parent, own)
        most = getattr(network.config, "max_position_embeddings", None)
        # RoBERTa's positions begin behind the number of its padding token.
        most = None if most is None else most - (getattr(network.config, "pad_token_id", None) or 0) - 1
        if options.tokens < 1 or (most is not None and options.tokens > most // 2):
            raise InputError(
                "tokens must be at least 1 and leave half of the room to the text",
                seen=f"{options.tokens} of {most or 'any number'}",
            )
        freeze(body)
        drawn = torch.randint(0, len(rows.weight), (options.tokens,))
        setattr(parent, own, Prompted(network, rows.weight.detach()[drawn].clone()))
        longest = None if most is None else most - options.tokens
        return Fronted(body=body, groups=[Group(parameters=trained(body))], longest=longest)

    def learn(self, work: Work) -> None:
        """Train vectors and head together."""
        jointly(work)


def table(body: nn.Module) -> nn.Embedding | None:
    """Return the look-up table of a network that takes ``inputs_embeds`` in place of ``input_ids``, else None."""
    found = transformer(body)
    if found is None:
        return None
    network = getattr(*found)
    takes = inspect.signature(network.forward).parameters
    if not {"inputs_embeds", "input_ids", "attention_mask"} <= set(takes):
        return None
    rows = network.get_input_embeddings()
    return rows if isinstance(rows, nn.Embedding) else None


class Prompted(nn.Module):
    """A network of transformers with learned vectors in front of every text.

    Parameters
    ----------
    network : transformers.PreTrainedModel
    vectors : torch.Tensor
        Shape (tokens, width).
    """

    def __init__(self, network: nn.Module, vectors: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.vectors = nn.Parameter(vectors)

    @property
    def config(self) -> Any:
        """The configuration of the network."""
        return self.network.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **tensors: torch.Tensor) -> Any:
        """Return what the network returns for vectors and tokens, shape (n, tokens + L, d) in its first value."""
        own: torch.Tensor = self.network.get_input_embeddings()(input_ids)  # type: ignore[operator]
        rows, count = input_ids.shape[0], self.vectors.shape[0]
        joined = torch.cat([self.vectors.to(own.dtype).unsqueeze(0).expand(rows, -1, -1), own], dim=1)
        seen = torch.cat([attention_mask.new_ones((rows, count)), attention_mask], dim=1)
        if "token_type_ids" in tensors:
            types = tensors["token_type_ids"]
            tensors = {**tensors, "token_type_ids": torch.cat([types.new_zeros((rows, count)), types], dim=1)}
        return self.network(inputs_embeds=joined, attention_mask=seen, **tensors)


class Fronted(Applied):
    """A body with vectors in front of its tokens."""

    def merge(self) -> None:
        """Refuse: they are input, not weights."""
        raise unfoldable("the learned vectors are input of the network and no product of its weights")
