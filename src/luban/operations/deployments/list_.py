"""Deployments list: the names that models answer under."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.model import Deployment
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="deployments:read", name="deployments list")
def deployments_list(workspace: Workspace) -> tuple[Deployment, ...]:
    """List the deployments: which versions answer, with which shares, and what the prediction log keeps."""
    return tuple(workspace.deployments.list())
