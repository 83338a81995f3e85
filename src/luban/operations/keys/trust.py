"""Keys trust: signatures of a key count."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.model import SigningKey
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace

LARGEST = 10_000


@operation(permission="keys:write", name="keys trust")
def keys_trust(workspace: Workspace, key: str, *, name: str | None = None) -> SigningKey:
    """Let the signatures of a key count in this workspace from now on.

    Parameters
    ----------
    key
        The public key itself (base64, PEM or `ssh-ed25519 ...`), a file that holds it, or the name of a private key of
        this machine.
    name
        What to call it; by default the name of the private key, or of the file.
    """
    from luban.core.paths import paths_allowed
    from luban.store import private_keys, signing

    if paths_allowed() and key in private_keys.names():
        return workspace.keys.trust(name or key, signing.public_of(private_keys.load(key)))
    public, called = key, name
    path = Path(key)
    if paths_allowed() and "\n" not in key and len(key) < 1000 and path.is_file():
        if path.stat().st_size > LARGEST:
            raise InputError("this file is no public key", seen=f"{path}: {path.stat().st_size:,} bytes")
        public, called = path.read_text("utf-8", "replace"), name or path.name.split(".")[0]
    if called is None:
        signing.read_public(public)
        raise InputError("the key needs a name", remedy="Give it with --name.")
    return workspace.keys.trust(called, signing.read_public(public))
