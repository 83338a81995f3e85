"""Keys policy: whether only signed models are loaded, and what signs new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from luban.core.errors import NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class KeyPolicy:
    """What holds in a workspace.

    Attributes
    ----------
    load : str
        ``any``, or ``signed-only``: then no model is loaded that nobody who is trusted signed.
    sign_with : str, optional
        The key that signs every version when it is registered.
    """

    load: str
    sign_with: str | None


@operation(permission="keys:write", name="keys policy")
def keys_policy(
    workspace: Workspace,
    load: Literal["any", "signed-only"] | None = None,
    *,
    sign_with: str | None = None,
) -> KeyPolicy:
    """Say which models are loaded in this workspace, and what signs new ones; without any word, show it.

    A signature that is broken is refused whatever the policy is. LUBAN_SIGNED_ONLY=1 holds for one process whatever the
    workspace says, and LUBAN_TRUSTED_KEYS (identifiers with commas between) lets no other keys count there.

    Parameters
    ----------
    load
        `signed-only`: load no model that nobody who is trusted signed. `any`: unsigned ones too.
    sign_with
        Name of the trusted key that signs every version when it is registered, or `none`.
    """
    from luban.operations.registering import SIGNING_KEY
    from luban.store.signatures import SIGNED_ONLY

    if sign_with is not None and sign_with != NONE:
        known = [key.name for key in workspace.keys.list()]
        if sign_with not in known:
            raise NotFound.named("trusted key", sign_with, known)
    if load is not None:
        workspace.settings.set(SIGNED_ONLY, True if load == "signed-only" else None)
    if sign_with is not None:
        workspace.settings.set(SIGNING_KEY, None if sign_with == NONE else sign_with)
    return KeyPolicy(
        load="signed-only" if workspace.signatures.required() else "any",
        sign_with=workspace.settings.get(SIGNING_KEY),
    )
