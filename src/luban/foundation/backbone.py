"""A pre-trained network that turns texts, pictures or sounds into vectors, and all it takes to use it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from luban.core import plugins
from luban.core.errors import InputError, Unsupported
from luban.core.serial import from_json
from luban.foundation import weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from luban.core.preparation import Preparation

PROTOCOL = 2
_DESCRIPTION = "backbone.json"
_WEIGHTS = "weights.safetensors"


class Encoded(NamedTuple):
    """What the body of a backbone returns for n rows.

    Attributes
    ----------
    steps : torch.Tensor
        Shape (n, L, d): one vector a token, patch or frame.
    mask : torch.Tensor
        Shape (n, L), 1 where a step is real and 0 where it is padding.
    pooled : torch.Tensor
        Shape (n, d): one vector a row, as the backbone was trained to give it (not yet of length 1).
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
    ways : mapping of str to tuple of str
        What can adapt it, and which of its tasks each serves: names in ``luban.ways``, or in ``luban.learners`` where
        nothing is trained.
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
    ways: Mapping[str, tuple[str, ...]]
    parameters: int
    bytes: int
    licence: str
    source: str
    languages: tuple[str, ...] = ()
    words: str = ""
    needs: str = ""


@dataclass(frozen=True, kw_only=True)
class Prepares:
    """How columns become the tensors of a body.

    Parameters
    ----------
    name : str
        Entry of ``luban.preparations``, a class.
    settings : mapping
        JSON: what it is made with, beside the columns and the files.
    files : mapping of str to bytes
        What it is made with that is no JSON value, by file name: ``{"tokenizer.json": ...}`` is given as
        ``tokenizer=...``.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(kw_only=True)
class Backbone:
    """A backbone in memory.

    Parameters
    ----------
    card : Card
    digest : str
        SHA-256 of weights, configuration and preparation, as they were when loaded: features are cached under it.
    body : torch.nn.Module
        ``body(**tensors) -> Encoded`` for the tensors that the preparation makes.
    dimension : int
        d, the width of its vectors.
    stages : sequence of sequence of str
        Prefixes of the names of the body's parameters from the input to the output; layer-wise rates decay from the
        last to the first.
    architecture : str
        Entry of ``luban.architectures`` that builds the empty body.
    configuration : mapping
        JSON: what it builds it from.
    prepares : Prepares
    packed : mapping of str to torch.Tensor
        Weights in the small form that they came in, by the name of the full one; `save` keeps that form for those
        that did not change.
    """

    card: Card
    digest: str
    body: torch.nn.Module
    dimension: int
    stages: Sequence[Sequence[str]]
    architecture: str
    configuration: Mapping[str, Any]
    prepares: Prepares
    packed: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def preparation(self, columns: Sequence[str], **options: Any) -> Preparation:
        """Return what prepares these columns for the body (two text columns make a pair).

        Parameters
        ----------
        columns : sequence of str
        options
            Settings to use instead of the backbone's own, such as ``max_length=64``.
        """
        files = {name.partition(".")[0]: content for name, content in self.prepares.files.items()}
        make = plugins.load("preparations", self.prepares.name)
        # JSON has no tuples.
        settings = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in {**self.prepares.settings, **options}.items()
        }
        made: Preparation = make(columns=tuple(columns), **files, **settings)
        return made

    def save(self) -> Mapping[str, bytes]:
        """Return all that rebuilds it with its present weights: JSON, safetensors and the files of its preparation."""
        description = {
            "protocol": PROTOCOL,
            "card": asdict(replace(self.card, needs="")),
            "architecture": self.architecture,
            "configuration": self.configuration,
            "preparation": {"name": self.prepares.name, "settings": self.prepares.settings},
            "files": sorted(self.prepares.files),
        }
        return {
            _DESCRIPTION: json.dumps(description, sort_keys=True, ensure_ascii=False, indent=1).encode(),
            _WEIGHTS: weights.write(weights.pack(self.body.state_dict(), self.packed)),
            **self.prepares.files,
        }


def assemble(
    card: Card,
    *,
    architecture: str,
    configuration: Mapping[str, Any],
    prepares: Prepares,
    tensors: Mapping[str, torch.Tensor] | None = None,
    seed: int = 0,
) -> Backbone:
    """Return a backbone built of its parts, ready to predict.

    Parameters
    ----------
    tensors : mapping of str to torch.Tensor, optional
        Its weights by the names of the body's parameters; packed ones are unpacked. Random ones by `seed` without.

    Raises
    ------
    InputError
        If the weights do not fit the configuration, or the preparation does not fit the weights.
    """
    import torch

    build = plugins.load("architectures", architecture)
    if tensors is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            body = build(configuration)
        packed: dict[str, torch.Tensor] = {}
    else:
        with weights.unset():
            body = build(configuration)
        packed = {name: tensor for name, tensor in tensors.items() if weights.is_packed(name)}
        weights.fill(body, tensors, name=card.name)
    if any(parameter.dim() == 4 for parameter in body.parameters()):
        body.to(memory_format=torch.channels_last)  # convolutions run half as long again otherwise
    body.eval()
    body.check(prepares.settings, prepares.files, name=card.name)
    total = sum(parameter.numel() for parameter in body.parameters())
    return Backbone(
        card=replace(card, parameters=total, bytes=card.bytes or 4 * total),
        digest=weights.digest(
            weights.without(body.state_dict(), packed) | packed,
            [architecture, configuration, prepares.name, prepares.settings],
            prepares.files,
        ),
        body=body,
        dimension=body.dimension,
        stages=body.stages,
        architecture=architecture,
        configuration=configuration,
        prepares=prepares,
        packed=packed,
    )


def load(payloads: Mapping[str, bytes]) -> Backbone:
    """Return the backbone that `Backbone.save` wrote, without network.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the weights do not fit the configuration.
    Unsupported
        If it was written by a later protocol.
    """
    if _DESCRIPTION not in payloads or _WEIGHTS not in payloads:
        raise InputError("a backbone lacks files", seen=", ".join(sorted(payloads)) or "none")
    try:
        description = json.loads(payloads[_DESCRIPTION])
        protocol = int(description["protocol"])
        card = _card(description["card"])
        name, settings = description["preparation"]["name"], description["preparation"]["settings"]
        files = {str(file): payloads[file] for file in description["files"]}
        architecture, configuration = str(description["architecture"]), dict(description["configuration"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("the description of a backbone cannot be read", seen=repr(error)) from error
    if protocol > PROTOCOL:
        raise Unsupported(f"the backbone {card.name} was written by protocol {protocol}", remedy="Update Luban.")
    return assemble(
        card,
        architecture=architecture,
        configuration=configuration,
        prepares=Prepares(name=name, settings=settings, files=files),
        tensors=weights.read(payloads[_WEIGHTS], name=card.name),
    )


def _card(told: Mapping[str, Any]) -> Card:
    """Return the card that was written; protocol 1 names its ways alone, of which each serves what it can."""
    ways = told["ways"]
    whole = dict.fromkeys(ways, told["tasks"]) if isinstance(ways, list) else ways
    card: Card = from_json(Card, {**told, "ways": whole})
    return card


@runtime_checkable
class Zoo(Protocol):
    """An entry of group ``luban.backbones``: one backbone, told of without loading it."""

    def card(self) -> Card:
        """Return what is known of it; imports nothing heavy."""

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights, or raise what is missing and what to do."""
