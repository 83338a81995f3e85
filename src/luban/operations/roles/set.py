"""Roles set: what a role may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.access import Role
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="roles:write", name="roles set")
def roles_set(workspace: Workspace, name: str, *, scopes: tuple[str, ...], only: tuple[str, ...] = ()) -> Role:
    """Say what a role may do; whoever has it may do that from then on, within two seconds, and nothing else through it.

    Parameters
    ----------
    name
        The role, new or not; an OpenID Connect issuer gives people roles by this name.
    scopes
        What its tokens may do: infer, read, write, approve, admin, such as `--scopes infer,read`.
    only
        Models and deployments that it is good for, instead of all.
    """
    return workspace.roles.set(name, scopes, only=only)
