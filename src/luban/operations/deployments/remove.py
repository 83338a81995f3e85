"""Deployments remove: nothing answers under the name any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class DeploymentRemoved:
    """A deployment that is gone; its history stays in the audit chain.

    Attributes
    ----------
    predictions, labels : int
        Of its log that were erased.
    kept : int
        Predictions and labels of its log that are kept.
    """

    deployment: str
    predictions: int
    labels: int
    kept: int


@operation(permission="deployments:write", name="deployments remove", existing=True)
def deployments_remove(
    workspace: Workspace, name: str, *, log: Literal["keep", "erase"] | None = None, reason: str = ""
) -> DeploymentRemoved:
    """Remove a deployment; servers answer 404 for its name, and update it no more, from then on.

    Where its prediction log holds anything it must be said what becomes of that. The log of a deployment that was
    removed before can be erased later, by the same command.

    Parameters
    ----------
    name
        The deployment.
    log
        `erase` its predictions and labels for good, with the pictures and sounds that no other log names, or `keep`
        them: for as long as the deployment kept them, and for a deployment of the same name.
    reason
        Why.
    """
    workspace.deployments.remove(name, log=log, reason=reason)
    if name in workspace.policies.list():
        workspace.policies.remove(name)
    erased = workspace.predictions.clear(name) if log == "erase" else (0, 0)
    kept = workspace.predictions.left(name) if log == "keep" else 0
    return DeploymentRemoved(deployment=name, predictions=erased[0], labels=erased[1], kept=kept)
