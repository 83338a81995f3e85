"""Models verify: every byte of a model is what was registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A model whose content all matches its digests.

    Attributes
    ----------
    size : int
        Bytes that the payloads take on the disk.
    records : tuple of str
        What else of its record was read and is whole: reports, code, changes of the code, environment, data.
    signed_by : tuple of str
        Names of the trusted keys whose signatures are good; empty where it is not signed.
    """

    model: str
    artifact: str
    payloads: int
    size: int
    records: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()


@operation(permission="models:read", name="models verify", about=("model",))
def models_verify(workspace: Workspace, model: str) -> Verified:
    """Compare a model with what was registered: its record with the audit chain, its signatures, and every byte.

    Parameters
    ----------
    model
        The model: NAME, NAME/VERSION or NAME@ALIAS.
    """
    workspace.audit.verify()
    version = workspace.models.verify(model)
    signed = workspace.signatures.check(version)
    payloads, size = read_all(workspace, version)
    return Verified(
        model=version.reference,
        artifact=version.artifact,
        payloads=payloads,
        size=size,
        records=_records(workspace, version),
        signed_by=tuple(one.name for one in signed),
    )


def read_all(workspace: Workspace, version: ModelVersion) -> tuple[int, int]:
    """Return how many payloads a version has and their bytes, after comparing all with their digests."""
    from luban.learners import artifact

    payloads = artifact.digests(workspace.blobs, version.artifact)
    return len(payloads), sum(len(workspace.blobs.get(digest)) for digest in payloads)


def _records(workspace: Workspace, version: ModelVersion) -> tuple[str, ...]:
    """Return what a version names beside its payloads, each read and whole."""
    found = []
    for name, digest in {"environment": version.environment, "data": version.data, **version.reports}.items():
        if digest is not None:
            workspace.blobs.get(digest)
            found.append(name)
    if version.code is not None:
        code = workspace.blobs.get_json(version.code)
        found.append("code")
        if code.get("diff"):
            workspace.blobs.get(code["diff"])
            found.append("changes of the code")
    return tuple(found)
