"""What the record of a version says, gathered for those who show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError

if TYPE_CHECKING:
    from luban.core.model import ModelVersion
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One version, and what its digests stand for.

    Parameters
    ----------
    code, environment : mapping, optional
        The records; None where the version has none, or they are gone.
    parts : tuple of (str, float)
        Learners of the ensemble with their weights.
    payloads, size : int, optional
        Files of the model and their bytes.
    graph : bool
        Whether it has an ONNX graph.
    parity : float, optional
        Largest difference between the graph and the model.
    threshold : float, optional
        From which probability on it decides; None where its task has no threshold.
    signatures : tuple of mappings
        ``key``, ``name``, ``state``, ``created``, ``actor``.
    trouble : tuple of str
        What could not be read, and why.
    """

    version: ModelVersion
    code: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None
    parts: tuple[tuple[str, float], ...]
    payloads: int | None
    size: int | None
    graph: bool
    parity: float | None
    threshold: float | None
    signatures: tuple[Mapping[str, Any], ...]
    trouble: tuple[str, ...]


def facts(workspace: Workspace, version: ModelVersion) -> Facts:
    """Return what the record of a version says; what is damaged or may not be read is told, not raised."""
    from luban.learners import artifact
    from luban.operations.deciding import in_force

    trouble: list[str] = []
    manifest = threshold = None
    try:
        workspace.signatures.check(version)
        manifest = artifact.read_manifest(workspace.blobs, version.artifact)
        threshold = in_force(version.task, artifact.threshold(workspace.blobs, version.artifact))
    except LubanError as error:
        trouble.append(str(error))
    payloads = {**manifest.payloads, **manifest.extra} if manifest is not None else None
    return Facts(
        version=version,
        code=_record(workspace, version.code, trouble),
        environment=_record(workspace, version.environment, trouble),
        parts=() if manifest is None else tuple((part.learner, part.weight) for part in manifest.parts),
        payloads=None if payloads is None else len(payloads),
        size=None if payloads is None else sum(payload.size for payload in payloads.values()),
        graph=manifest is not None and any(name.endswith(".onnx") for name in manifest.extra),
        parity=None if manifest is None else manifest.parity,
        threshold=threshold,
        signatures=tuple(vars(one) for one in workspace.signatures.states(version)),
        trouble=tuple(trouble),
    )


def _record(workspace: Workspace, digest: str | None, trouble: list[str]) -> Mapping[str, Any] | None:
    if digest is None:
        return None
    try:
        found: Mapping[str, Any] = workspace.blobs.get_json(digest)
    except LubanError as error:
        trouble.append(str(error))
        return None
    return found


def code_in_words(code: Mapping[str, Any] | None) -> str:
    """Return where the code was, as one line."""
    if code is None:
        return "not recorded"
    commit = code.get("commit")
    if commit is None:
        return str(code.get("state"))
    kept = "changes kept" if code.get("diff") else "no change in files that git knows"
    return f"{commit[:12]}, {code['state']}" + (f" ({kept})" if code["state"] == "changed" else "")
