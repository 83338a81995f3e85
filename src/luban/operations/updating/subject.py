"""What is updated: the champion behind the name of a deployment or a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, NotFound, Unsupported
from luban.core.model import Deployment, ModelVersion
from luban.core.update import Promotion

if TYPE_CHECKING:
    from luban.store import Workspace

OPERATION = "update"
"""Of runs: what they are told by."""

TAG = "update"
"""Tag of a version that an update made: what it is told by."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A name and the version that answers under it.

    Parameters
    ----------
    deployment : Deployment, optional
        Where the name is a deployment's.
    sources : tuple of str
        Deployments whose labelled predictions are learnt from.
    media : bool
        Whether one of these keeps the content of pictures and sounds in its log.
    """

    name: str
    champion: ModelVersion
    deployment: Deployment | None
    sources: tuple[str, ...]
    media: bool = False

    @property
    def made(self) -> Mapping[str, Any]:
        """What the update that made the champion left with it; empty where a fit made it."""
        found: Mapping[str, Any] = self.champion.tags.get(TAG) or {}
        return found

    @property
    def lease(self) -> str:
        """Name of the lease under which it is updated."""
        return f"update/{self.name}"

    def promotion(self, challenger: str) -> Promotion:
        """Return what a challenger's promotion would be."""
        return Promotion(
            champion=self.champion.reference,
            challenger=challenger,
            deployment=None if self.deployment is None else self.deployment.name,
        )


def subject(workspace: Workspace, name: str) -> Subject:
    """Return what is updated; a deployment goes before a model of the same name.

    Raises
    ------
    NotFound
        If it is neither.
    InputError
        If it is one version, or one that it is not known what it learnt from.
    """
    if "/" in name or "@" in name:
        raise InputError(
            "a deployment or a model is updated, not one version of it",
            seen=repr(name)[:100],
            remedy="Leave version and alias out.",
        )
    deployments = {one.name: one for one in workspace.deployments.list()}
    found = deployments.get(name)
    if found is not None:
        champion = workspace.models.get(found.champion)
        sources: tuple[str, ...] = (name,)
    else:
        try:
            champion = workspace.models.get(name)
        except NotFound as error:
            known = ", ".join(sorted(deployments)) or "none"
            raise NotFound(
                f"no deployment and no model is named {name!r}", seen=f"deployments: {known}", remedy=error.remedy
            ) from error
        sources = tuple(one.name for one in deployments.values() if one.champion.rpartition("/")[0] == champion.name)
    check_updatable(champion)
    media = any(deployments[one].media for one in sources)
    return Subject(name=name, champion=champion, deployment=found, sources=sources, media=media)


def check_updatable(champion: ModelVersion) -> None:
    """Raise `InputError` where a version cannot be updated."""
    if champion.dataset is None:
        raise InputError(
            f"it is not known what {champion.reference} learnt from, so it cannot be updated",
            remedy="Fit it anew: luban fit.",
        )


def check_logged(champion: ModelVersion, *, media: bool) -> None:
    """Raise `Unsupported` where the prediction log does not hold what a version would learn from.

    Parameters
    ----------
    media : bool
        Whether the log keeps the content of pictures and sounds.
    """
    from luban.data.media.endings import KINDS

    found = [column.name for column in champion.signature.inputs if column.kind in KINDS]
    if found and not media:
        raise Unsupported(
            f"{champion.reference} cannot be updated from the prediction log, which keeps digests of files alone here",
            seen=f"the inputs {', '.join(found)}",
            remedy=f"Give rows with their true values, a file or a folder: luban update {champion.name} DATA. "
            "Or let the log keep the files from now on: luban deploy NAME --media keep.",
        )
