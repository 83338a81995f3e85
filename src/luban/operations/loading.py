"""From the name of a registered model to a model that predicts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.core.model import ModelVersion
    from luban.learners.fitted import Fitted
    from luban.serving.deployed import Deployed
    from luban.serving.runtime import Runtime
    from luban.store import Workspace

GRAPH = "model.onnx"


def fitted(workspace: Workspace, reference: str) -> Fitted:
    """Return the model in its Python form, with its bytes verified.

    Raises
    ------
    NotFound
        With the nearest names, if there is no such model.
    Tampered
        If a byte of it differs from what was registered, or from what was signed.
    Refused
        If its signature is missing, or of nobody who is trusted.
    """
    from luban.learners import artifact

    return artifact.read(workspace.blobs, checked(workspace, reference).artifact)


def checked(workspace: Workspace, reference: str) -> ModelVersion:
    """Return a version whose signatures are good, before anything of the model is read.

    Every way to a model's bytes goes through this.

    Raises
    ------
    Tampered
        If a signature is broken.
    Refused
        If it is signed by nobody who is trusted, or not at all where it has to be.
    """
    version = workspace.models.get(reference)
    workspace.signatures.check(version)
    return version


def deployed(workspace: Workspace, names: Sequence[str], **limits: Any) -> Deployed:
    """Return what a server answers from: models and deployments by name, kept up to date while its context is open."""
    from luban.serving.deployed import Deployed

    return Deployed(workspace, names, partial(runtime, workspace, stays=True), **limits)


def runtime(workspace: Workspace, reference: str, *, paths: bool = False, stays: bool = False) -> Runtime:
    """Return the model ready to answer: through its ONNX graph where it has one, else in its Python form.

    `paths` and `stays` are as `luban.serving.runtime.Runtime` has them: whether a row may name files, as a caller in
    this process may, and whether the model is kept, as a server keeps it.
    """
    from luban.learners import artifact
    from luban.serving.runtime import Runtime

    version = checked(workspace, reference)
    model = (artifact.verified if stays else artifact.read)(workspace.blobs, version.artifact)
    graph = artifact.extra(workspace.blobs, model, GRAPH)
    return Runtime.from_fitted(model, graph, name=version.name, version=version.version, paths=paths, stays=stays)
