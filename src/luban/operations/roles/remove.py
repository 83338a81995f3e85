"""Roles remove: whoever has a role may do nothing through it any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class RoleRemoved:
    """A role that is gone."""

    role: str


@operation(permission="roles:write", name="roles remove", existing=True)
def roles_remove(workspace: Workspace, name: str) -> RoleRemoved:
    """Remove a role; tokens and people that have it may do nothing through it any more.

    Parameters
    ----------
    name
        The role.
    """
    workspace.roles.remove(name)
    return RoleRemoved(role=name)
