"""The registration of a model: with its origin, and signed where a key is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luban.core.errors import Refused
from luban.core.model import ModelSignature

if TYPE_CHECKING:
    from collections.abc import Callable

    from luban.core.model import ModelVersion
    from luban.operations.origin import Origin
    from luban.store import Workspace

    Sign = Callable[[str, int, str], ModelSignature]

SIGNING_KEY = "signing-key"
"""The setting of a workspace that names the key that signs what is registered."""


def register(workspace: Workspace, origin: Origin, *, sign: Sign | None = None, **values: Any) -> ModelVersion:
    """Register the next version of a model (`luban.store.models.Models.register`) and return it.

    Parameters
    ----------
    origin : Origin
        Made when the call began.
    sign : callable, optional
        As `signer` returned it when the call began, so that a missing key was told then.
    """
    return workspace.models.register(**values, **origin.keep(workspace.blobs), sign=sign)


def signer(workspace: Workspace) -> Sign | None:
    """Return what signs a version that is registered, or None where no key is given.

    The key is named by ``LUBAN_SIGNING_KEY`` (a name or a file), else by the workspace's setting.
    """
    name = os.environ.get("LUBAN_SIGNING_KEY") or workspace.settings.get(SIGNING_KEY)
    return None if not name else signing_with(workspace, name)


def signing_with(workspace: Workspace, name: str) -> Sign:
    """Return what signs with a private key of this machine.

    Raises
    ------
    NotFound, Refused
        If there is no such key, it cannot be opened, or the workspace does not trust it.
    """
    from luban.store import private_keys, signing

    private = private_keys.load(name)
    identifier = signing.key_id(signing.public_of(private))
    if identifier not in {key.id for key in workspace.keys.list()}:
        raise Refused(
            f"the key {name!r} is not trusted in this workspace, so what it signs could not be loaded",
            seen=identifier,
            remedy=f"Run: luban keys trust {name}",
        )

    def sign(model: str, version: int, artifact: str) -> ModelSignature:
        return ModelSignature(key=identifier, signature=signing.sign(private, model, version, artifact))

    return sign
