"""Models sign: somebody vouches for a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A version that was signed.

    Attributes
    ----------
    artifact : str
        Digest of the manifest, which names each byte of the model.
    key : str
        Identifier of the key.
    """

    model: str
    artifact: str
    key: str


@operation(permission="models:write", name="models sign", remote=False, about=("model",), existing=True)
def models_sign(workspace: Workspace, model: str, *, key: str | None = None) -> Signed:
    """Sign a version with a private key of this machine; from then on no other bytes are loaded under its name.

    Its record is compared with the audit chain, and every byte of it with its digest, before.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    key
        The key: a name (`luban keys list`) or a file; by default LUBAN_SIGNING_KEY, or what `luban keys policy` says.
    """
    from luban.operations.models.verify import read_all
    from luban.operations.registering import signer, signing_with

    sign = signing_with(workspace, key) if key is not None else signer(workspace)
    if sign is None:
        raise InputError("no key is given to sign with", remedy="Give --key NAME, or set LUBAN_SIGNING_KEY.")
    version = workspace.models.verify(model)
    read_all(workspace, version)
    made = workspace.signatures.add(version.reference, sign)
    return Signed(model=version.reference, artifact=version.artifact, key=made.key)
