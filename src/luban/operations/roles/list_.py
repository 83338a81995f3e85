"""Roles list: what each role may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.access import Role
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="roles:read", name="roles list")
def roles_list(workspace: Workspace) -> tuple[Role, ...]:
    """List the roles with their scopes, and the models they are good for."""
    return tuple(workspace.roles.list())
