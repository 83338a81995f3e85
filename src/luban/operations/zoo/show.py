"""Zoo show: all that is known of one backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class BackboneShown:
    """One backbone.

    Attributes
    ----------
    modality : str
        The kind of column that it reads.
    tasks : tuple of str
        The kinds of task that it serves.
    ways : mapping of str to tuple of str
        The ways in which it can be adapted, each with those of the tasks that it serves.
    needs : str
        What to install where it is not there yet, else empty.
    """

    backbone: str
    words: str
    modality: str
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    ways: Mapping[str, tuple[str, ...]]
    parameters: int
    megabytes: float
    licence: str
    source: str
    installed: bool
    needs: str


@operation(permission="zoo:read", name="zoo show", remote=False)
def zoo_show(workspace: Workspace, name: str) -> BackboneShown:  # noqa: ARG001 - every verb has one
    """Show a backbone: what it reads, its ways and the tasks of each, its size and licence, and where it comes from.

    Parameters
    ----------
    name
        A name of `luban zoo list`, a folder, an installed package with weights, or an identifier of the Hugging
        Face hub (OWNER/NAME).
    """
    from luban.foundation import zoo

    card = zoo.find(name).card()
    return BackboneShown(
        backbone=card.name,
        words=card.words,
        modality=card.kind,
        languages=card.languages,
        tasks=card.tasks,
        ways=dict(card.ways),
        parameters=card.parameters,
        megabytes=round(card.bytes / 1e6, 1),
        licence=card.licence,
        source=card.source,
        installed=not card.needs,
        needs=card.needs,
    )
