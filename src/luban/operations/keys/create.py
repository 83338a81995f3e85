"""Keys create: a key to sign models with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class KeyCreated:
    """A new key.

    Attributes
    ----------
    public : str
        What others need to trust it: `luban keys trust PUBLIC --name NAME`.
    file : str
        Where the private key is, on this machine alone.
    encrypted : bool
        Whether it has a passphrase.
    trusted : bool
        Whether its signatures count in this workspace.
    """

    name: str
    id: str
    public: str
    file: str
    encrypted: bool
    trusted: bool


@operation(permission="keys:write", name="keys create", remote=False)
def keys_create(workspace: Workspace, name: str, *, trust: bool = True) -> KeyCreated:
    """Make an Ed25519 key to sign models with, and let its signatures count in this workspace.

    The private key stays on this machine, in a file that only you may read. Set LUBAN_KEY_PASSPHRASE to encrypt it.

    Parameters
    ----------
    name
        Name of the key, such as `ada` or `release`.
    trust
        Whether its signatures count in this workspace.
    """
    from luban.store import private_keys, signing

    private, path = private_keys.create(name)
    public = signing.public_of(private)
    if trust:
        workspace.keys.trust(name, public)
    return KeyCreated(
        name=name,
        id=signing.key_id(public),
        public=public,
        file=str(path),
        encrypted=bool(os.environ.get(private_keys.PASSPHRASE)),
        trusted=trust,
    )
