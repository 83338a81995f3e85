"""Deployments remove: nothing answers under the name any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class DeploymentRemoved:
    """A deployment that is gone; its history stays in the audit chain, its prediction log in the workspace."""

    deployment: str


@operation(permission="deployments:write", name="deployments remove", existing=True)
def deployments_remove(workspace: Workspace, name: str, *, reason: str = "") -> DeploymentRemoved:
    """Remove a deployment; servers answer 404 for its name, and update it no more, from then on.

    Parameters
    ----------
    name
        The deployment.
    reason
        Why.
    """
    workspace.deployments.remove(name, reason=reason)
    if name in workspace.policies.list():
        workspace.policies.remove(name)
    return DeploymentRemoved(deployment=name)
