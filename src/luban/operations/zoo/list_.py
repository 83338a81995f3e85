"""Zoo list: the pre-trained backbones that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class BackboneLine:
    """One backbone in a list.

    Attributes
    ----------
    tasks : tuple of str
        The kinds of task that it serves.
    ways : mapping of str to tuple of str
        The ways in which it can be adapted, each with those of the tasks that it serves.
    millions : float
        Of weights.
    megabytes : float
        Of its weights as they come.
    source : str
        Where the weights come from.
    needs : str
        What to install where it is not there yet, else empty.
    """

    backbone: str
    modality: str
    tasks: tuple[str, ...]
    ways: Mapping[str, tuple[str, ...]]
    millions: float
    megabytes: float
    licence: str
    source: str
    installed: bool
    needs: str


@dataclass(frozen=True, kw_only=True)
class BackboneList:
    """Backbones by modality, the smallest first."""

    backbones: tuple[BackboneLine, ...]


@operation(permission="zoo:read", name="zoo list")
def zoo_list(workspace: Workspace, modality: str | None = None) -> BackboneList:  # noqa: ARG001 - every verb has one
    """List the pre-trained backbones that installed packages know; others are named by a folder or a hub identifier.

    Parameters
    ----------
    modality
        Only those that read this, such as `text`, `image` or `audio`.
    """
    from luban.foundation import zoo

    cards = zoo.cards()
    known = {card.kind for card in cards}
    if modality is not None and modality not in known:
        raise NotFound.named("modality with a backbone", modality, known)
    return BackboneList(
        backbones=tuple(
            BackboneLine(
                backbone=card.name,
                modality=card.kind,
                tasks=card.tasks,
                ways=dict(card.ways),
                millions=round(card.parameters / 1e6, 1),
                megabytes=round(card.bytes / 1e6, 1),
                licence=card.licence,
                source=card.source,
                installed=not card.needs,
                needs=card.needs,
            )
            for card in cards
            if modality in {None, card.kind}
        )
    )
