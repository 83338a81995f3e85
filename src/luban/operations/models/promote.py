"""Models promote: an alias moves to a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.model import AliasChange
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="models:write", name="models promote", about=("model",), existing=True)
def models_promote(workspace: Workspace, model: str, *, alias: str = "champion", reason: str = "") -> AliasChange:
    """Point an alias at a version of a model; who, when, why and from what is kept.

    Parameters
    ----------
    model
        The version: NAME/VERSION, or NAME for the newest.
    alias
        The alias to move.
    reason
        Why.
    """
    if "/" in model or "@" in model:
        version = workspace.models.get(model)
    else:
        version = max(workspace.models.versions(model), key=lambda one: one.version)
    workspace.signatures.check(version)  # whoever follows the alias could not load it
    return workspace.models.set_alias(version.name, alias, version.version, reason=reason)
