"""Models delete: a version that nobody uses goes for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class ModelDeleted:
    """A version that is gone.

    Attributes
    ----------
    removed : int
        Blobs that nothing else named, which are gone too.
    """

    model: str
    aliases: tuple[str, ...]
    removed: int


@operation(permission="models:write", name="models delete", about=("model",), existing=True)
def models_delete(workspace: Workspace, model: str, *, without: tuple[str, ...] = (), reason: str = "") -> ModelDeleted:
    """Delete a version of a model for good, with the content that nothing else names.

    A version that is deployed, or that an alias points at, is not deleted. The audit chain keeps its record, and its
    number is not given again.

    Parameters
    ----------
    model
        The version: NAME/VERSION.
    without
        Aliases that point at it and are given up with it, such as `--without champion`.
    reason
        Why.
    """
    removed = workspace.models.delete(model, without=without, reason=reason)
    return ModelDeleted(model=model, aliases=without, removed=removed)
