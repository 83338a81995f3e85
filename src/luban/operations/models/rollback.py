"""Models rollback: an alias goes back to where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.model import AliasChange
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@operation(permission="models:write", name="models rollback", about=("model",), existing=True)
def models_rollback(workspace: Workspace, model: str, *, alias: str = "champion", reason: str = "") -> AliasChange:
    """Let an alias of a model point at the version that it pointed at before, as its history tells.

    Who does so twice goes back two versions. Servers follow within a second.

    Parameters
    ----------
    model
        The model: NAME.
    alias
        The alias that goes back.
    reason
        Why.
    """
    if "/" in model or "@" in model:
        raise InputError(
            "an alias of a model goes back, so only the model is named",
            seen=repr(model),
            remedy=f"Write: luban models rollback {model.partition('/')[0].partition('@')[0]} --alias {alias}",
        )
    return workspace.models.roll_back(model, alias, reason=reason, check=workspace.signatures.check)
