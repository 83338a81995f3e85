"""A pre-trained network that turns texts, pictures or sounds into vectors, and all it takes to use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from luban.core.preparation import Preparation


class Encoded(NamedTuple):
    """What the body of a backbone returns for n rows.

    Attributes
    ----------
    steps : torch.Tensor
        Shape (n, L, d): one vector a token, patch or frame.
    mask : torch.Tensor
        Shape (n, L), 1 where a step is real and 0 where it is padding.
    pooled : torch.Tensor
        Shape (n, d): one vector a row, as the backbone was trained to give it.
    """

    steps: torch.Tensor
    mask: torch.Tensor
    pooled: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a zoo tells of a backbone.

    Parameters
    ----------
    name : str
    kind : str
        The kind of column that it reads: ``text``, ``image``, ``audio``.
    tasks : tuple of str
        Kinds of task that it serves.
    ways : tuple of str
        Names in ``luban.ways`` that can adapt it.
    parameters : int
        How many weights it has.
    bytes : int
        Size of the weights.
    licence : str
    source : str
        Where the weights come from: a package and version, a hub identifier, a folder.
    languages : tuple of str
        Of texts and speech; empty where it has none.
    words : str
        One sentence for people.
    needs : str
        What to install where it is not there yet, else empty.
    """

    name: str
    kind: str
    tasks: tuple[str, ...]
    ways: tuple[str, ...]
    parameters: int
    bytes: int
    licence: str
    source: str
    languages: tuple[str, ...] = ()
    words: str = ""
    needs: str = ""


@dataclass(kw_only=True)
class Backbone:
    """A backbone in memory.

    Parameters
    ----------
    card : Card
    digest : str
        SHA-256 of weights and configuration: features are cached under it, and equal backbones are kept once.
    body : torch.nn.Module
        ``body(**tensors) -> Encoded`` for the tensors that the preparation makes.
    dimension : int
        d, the width of its vectors.
    stages : sequence of sequence of str
        Prefixes of the names of the body's parameters from the input to the output; layer-wise rates decay from the
        last to the first.
    configuration : mapping
        JSON: what rebuilds the empty body.
    """

    card: Card
    digest: str
    body: torch.nn.Module
    dimension: int
    stages: Sequence[Sequence[str]]
    configuration: Mapping[str, Any]
    payloads: Mapping[str, bytes]

    def preparation(self, columns: Sequence[str], **options: Any) -> Preparation:
        """Return what prepares these columns for the body (two text columns make a pair)."""
        raise NotImplementedError


@runtime_checkable
class Zoo(Protocol):
    """An entry of group ``luban.backbones``: one backbone, told of without loading it."""

    def card(self) -> Card:
        """Return what is known of it; imports nothing heavy."""

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights, or raise what is missing and what to do."""
