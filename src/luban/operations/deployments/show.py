"""Deployments show: one name, what answers under it, and how it came to be so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from luban.core.model import Deployment
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace
    from luban.store.audit import AuditEntry


@dataclass(frozen=True, kw_only=True)
class DeploymentChange:
    """One change of a deployment."""

    moment: datetime
    actor: str
    reason: str
    traffic: dict[str, float] | None = None
    shadow: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeploymentShown:
    """A deployment with its history, newest first.

    Attributes
    ----------
    logged, labelled : int
        Rows of the prediction log and labels that are stored.
    """

    deployment: Deployment
    champion: str
    canaries: tuple[str, ...]
    logged: int
    labelled: int
    history: tuple[DeploymentChange, ...]


@operation(permission="deployments:read", name="deployments show", about=("name",))
def deployments_show(workspace: Workspace, name: str) -> DeploymentShown:
    """Show a deployment: its versions and their shares, its shadow, its log, and every change with its reason.

    Parameters
    ----------
    name
        The deployment.
    """
    found = workspace.deployments.get(name)
    return DeploymentShown(
        deployment=found,
        champion=found.champion,
        canaries=found.canaries,
        logged=workspace.predictions.count(found.name),
        labelled=workspace.labels.count(found.name),
        history=tuple(_change(entry) for entry in reversed(changes(workspace, found.name))),
    )


def changes(workspace: Workspace, name: str) -> list[AuditEntry]:
    """Return the changes of a deployment, oldest first."""
    return [entry for entry in workspace.deployments.history(name) if entry.action == "deployment.change"]


def _change(entry: AuditEntry) -> DeploymentChange:
    after: dict[str, Any] = entry.detail["after"] or {}
    return DeploymentChange(
        moment=entry.moment,
        actor=entry.actor,
        reason=entry.detail["reason"],
        traffic=after.get("traffic"),
        shadow=after.get("shadow"),
    )
