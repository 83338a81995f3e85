"""Deployments rollback: the canary goes, or the champion before this one comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import Conflict
from luban.core.model import Deployment
from luban.core.operation import operation
from luban.operations.deployments.show import changes

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="deployments:write", name="deployments rollback", about=("name",), existing=True)
def deployments_rollback(workspace: Workspace, name: str, *, shadow: bool = False, reason: str = "") -> Deployment:
    """Take the canary of a deployment away; where there is none, bring back the champion before this one.

    Parameters
    ----------
    name
        The deployment.
    shadow
        Take the shadow away instead; what answers stays.
    reason
        Why.
    """
    before = workspace.deployments.get(name)
    if shadow:
        return _without_shadow(workspace, before, reason)
    champion = before.champion if before.canaries else _previous(workspace, before)
    return workspace.deployments.set(
        name,
        {champion: 1.0},
        shadow=None if before.shadow == champion else before.shadow,
        replicas=before.replicas,
        log=before.log,
        keep=before.keep,
        media=before.media,
        reason=reason,
        expected=before,
        undo=not before.canaries,
    )


def _without_shadow(workspace: Workspace, before: Deployment, reason: str) -> Deployment:
    if before.shadow is None:
        raise Conflict(f"the deployment {before.name!r} has no shadow")
    return workspace.deployments.set(
        before.name,
        before.traffic,
        replicas=before.replicas,
        log=before.log,
        keep=before.keep,
        media=before.media,
        reason=reason,
        expected=before,
    )


def _previous(workspace: Workspace, deployment: Deployment) -> str:
    """Return the champion before this one, as the history of the deployment tells it."""
    walked: list[str] = []
    undone = False
    for entry in changes(workspace, deployment.name):
        after = entry.detail["after"]
        if after is None:  # it was removed, and made anew since
            walked.clear()
        elif after.get("undo"):  # who rolls back twice goes back two champions, not to and fro
            undone = True
            walked.pop()
        elif not walked or walked[-1] != after["champion"]:
            walked.append(after["champion"])
    if len(walked) < 2:
        raise Conflict(
            f"the deployment {deployment.name!r} has had no other champion to go back to",
            seen=f"{deployment.champion} answers, and what answered else was rolled back itself"
            if undone
            else f"{deployment.champion} has answered from the beginning",
            remedy=f"Deploy the version that shall answer: luban deploy {deployment.name} MODEL.",
        )
    return walked[-2]
