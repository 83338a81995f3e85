"""Updates remove: a deployment or a model is updated by itself no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class UpdatesRemoved:
    """What is updated by itself no more; what was done stays on record."""

    name: str


@operation(permission="models:write", name="updates remove", about=("name",), existing=True)
def updates_remove(workspace: Workspace, name: str) -> UpdatesRemoved:
    """Let nothing update a deployment or a model by itself any more.

    Parameters
    ----------
    name
        The deployment or the model.
    """
    workspace.policies.remove(name)
    return UpdatesRemoved(name=name)
