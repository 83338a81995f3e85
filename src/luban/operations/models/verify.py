"""Models verify: every byte of a model is what was registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A model whose payloads all match their digests.

    Attributes
    ----------
    size : int
        Bytes that the payloads take on the disk.
    """

    model: str
    artifact: str
    payloads: int
    size: int


@operation(permission="models:read", name="models verify", about=("model",))
def models_verify(workspace: Workspace, model: str) -> Verified:
    """Read every byte of a registered model and compare it with its digests, and its record with the audit chain.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    """
    from luban.learners import artifact

    workspace.audit.verify()
    version = workspace.models.verify(model)
    manifest = artifact.read_manifest(workspace.blobs, version.artifact)
    payloads = {**manifest.payloads, **manifest.extra}
    size = sum(len(workspace.blobs.get(payload.digest)) for payload in payloads.values())
    return Verified(model=version.reference, artifact=version.artifact, payloads=len(payloads), size=size)
