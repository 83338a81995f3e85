"""Models show: all that is known of one version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.model import AliasChange, ModelVersion
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelShown:
    """One version and the history of the aliases of its model."""

    model: str
    version: ModelVersion
    alias_history: tuple[AliasChange, ...]


@operation(permission="models:read", name="models show", about=("model",))
def models_show(workspace: Workspace, model: str) -> ModelShown:
    """Show one version of a model: what goes in and out, what it was made from, its scores and aliases.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    """
    version = workspace.models.get(model)
    history = tuple(workspace.models.alias_history(version.name))
    return ModelShown(model=version.reference, version=version, alias_history=history)
