"""Deployments promote: the canary, or the shadow, becomes the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import Conflict
from luban.core.model import Deployment
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="deployments:write", name="deployments promote", about=("name",), existing=True)
def deployments_promote(workspace: Workspace, name: str, *, reason: str = "") -> Deployment:
    """Let the canary of a deployment answer everything; where there is none, the shadow.

    Parameters
    ----------
    name
        The deployment.
    reason
        Why.
    """
    before = workspace.deployments.get(name)
    promoted = before.canaries[-1] if before.canaries else before.shadow
    if promoted is None:
        raise Conflict(
            f"the deployment {name!r} has neither a canary nor a shadow to promote",
            seen=f"{before.champion} answers everything",
            remedy=f"Deploy one: luban deploy {name} MODEL --canary 5%",
        )
    return workspace.deployments.set(
        name,
        {promoted: 1.0},
        shadow=None if before.shadow == promoted else before.shadow,
        replicas=before.replicas,
        log=before.log,
        keep=before.keep,
        media=before.media,
        reason=reason,
        expected=before,
    )
