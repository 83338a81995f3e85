"""Models list: what is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from collections.abc import Collection

    from luban.core.model import ModelVersion
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelLine:
    """One registered version in a list.

    Attributes
    ----------
    signed : bool
        Whether it has a signature; what that is worth `luban models verify` tells.
    """

    model: str
    task: str
    target: str
    metric: str
    score: float | None
    aliases: tuple[str, ...]
    dataset: str | None
    run: str | None
    created: datetime | None
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelList:
    """Registered versions, the newest first."""

    models: tuple[ModelLine, ...]


def line(version: ModelVersion, signed: Collection[str] = ()) -> ModelLine:
    """Return a version as a line of a list."""
    scores: Mapping[str, float] = version.scores
    return ModelLine(
        model=version.reference,
        task=version.task.kind,
        target=version.task.target,
        metric=version.task.metric,
        score=scores.get(version.task.metric),
        aliases=version.aliases,
        dataset=version.dataset,
        run=version.run,
        created=version.created,
        signed=version.reference in signed,
    )


def _newest(workspace: Workspace) -> list[ModelVersion]:
    """Return the newest version of each model, and its champion where that is another one: it answers to the name."""
    found: list[ModelVersion] = []
    for newest in workspace.models.list():
        found.append(newest)
        champion = workspace.models.get(newest.name)
        if champion.version != newest.version:
            found.append(champion)
    return found


@operation(permission="models:read", name="models list")
def models_list(workspace: Workspace, name: str | None = None) -> ModelList:
    """List the registered models, the newest version of each and its champion, or all versions of one, newest first.

    Parameters
    ----------
    name
        The model whose versions are wanted.
    """
    versions = list(reversed(workspace.models.versions(name))) if name else _newest(workspace)
    signed = workspace.signatures.signed()
    return ModelList(models=tuple(line(version, signed) for version in versions))
