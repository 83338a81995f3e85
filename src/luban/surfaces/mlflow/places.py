"""What an address of artifacts means: files of a run, of a logged model, or of a registered version. Nothing else is.

Addresses never become paths of this machine: files are rows of the workspace, and content is found by its digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from luban.core.errors import InputError, NotFound, Refused
from luban.store.artifacts import Artifact, valid_path
from luban.surfaces.mlflow.logged import logged
from luban.surfaces.mlflow.shapes import SCHEME, run_of

if TYPE_CHECKING:
    from luban.store import Workspace

REGISTERED = "registered"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Files of a run (or of the record of a logged model), or of a registered version.

    Parameters
    ----------
    run : str, optional
        Identifier of the run that keeps them.
    version : str, optional
        The registered version: ``name/3``.
    path : str
        Of a file or folder in it; empty for all of it.
    """

    run: str | None = None
    version: str | None = None
    path: str = ""

    def files(self, workspace: Workspace) -> list[Artifact]:
        """Return the files that are there, by path."""
        if self.run is not None:
            return workspace.artifacts.list(self.run, self.path)
        kept = of_version(workspace, str(self.version))
        return [one for one in kept if not self.path or (one.path + "/").startswith(self.path + "/")]

    def file(self, workspace: Workspace) -> Artifact:
        """Return the file of this very path, or raise `NotFound`."""
        for one in self.files(workspace):
            if one.path == self.path:
                return one
        raise NotFound(f"there is no artifact {self.path[:200]!r}")

    def writable(self) -> tuple[str, str]:
        """Return the run and the path to write to.

        Raises
        ------
        Refused
            If it is a registered version, which is written once.
        """
        if self.run is None:
            raise Refused("the files of a registered version are written once", seen=self.version)
        if not self.path:
            raise InputError("the address names no file")
        return self.run, self.path


def place(workspace: Workspace, address: str) -> Place:
    """Return what an address means, without its scheme: ``3/RUN/artifacts/model/MLmodel``.

    Raises
    ------
    InputError
        If a part of it leads elsewhere.
    NotFound
        If there is no such run, model or version.
    """
    parts = valid_path(address.strip("/")).split("/")
    if len(parts) >= 3 and parts[0] == REGISTERED:
        return Place(version=f"{parts[1]}/{parts[2]}", path="/".join(parts[3:]))
    if len(parts) >= 4 and parts[1] == "models" and parts[3] == "artifacts":
        found, rest = logged(workspace, parts[2]), parts[4:]
    elif len(parts) >= 3 and parts[2] == "artifacts":
        found, rest = run_of(workspace, parts[1]), parts[3:]
    else:
        raise NotFound("there are no artifacts at this address", seen=repr(address)[:200])
    if str(found.experiment) != parts[0]:
        raise NotFound("there are no artifacts at this address", seen=repr(address)[:200])
    return Place(run=found.id, path="/".join(rest))


def source(workspace: Workspace, uri: str) -> Place:
    """Return what the source of a version means: ``mlflow-artifacts:/...``, ``runs:/RUN/path`` or ``models:/m-ID``.

    Raises
    ------
    InputError
        If it is an address of any other kind: a path or a server that this one would have to read for whoever asks.
    """
    parts = urlsplit(uri)
    path = unquote(parts.path).lstrip("/")
    plain = not (parts.query or parts.fragment) and parts.path.startswith("/")
    if plain and not parts.netloc:
        if f"{parts.scheme}:" == SCHEME:
            return place(workspace, path)
        if parts.scheme == "runs" and path:
            run, _, rest = valid_path(path).partition("/")
            return Place(run=run_of(workspace, run).id, path=rest)
        if parts.scheme == "models" and path.startswith("m-"):
            return Place(run=logged(workspace, path).id)
    raise InputError(
        "Invalid model version source: only what was logged to this server is registered",
        seen=repr(uri)[:200],
        remedy=f"Use {SCHEME}/..., runs:/RUN/PATH or models:/MODEL_ID.",
    )


def of_version(workspace: Workspace, reference: str) -> list[Artifact]:
    """Return the files of a registered version: those of a foreign one, or the manifest and payloads of Luban's own.

    Raises
    ------
    Refused
        If its signature is broken, or is wanted and not there.
    """
    version = workspace.models.get(reference)
    workspace.signatures.check(version)
    digest = version.artifact
    manifest = workspace.blobs.get_json(digest)
    if "foreign" in manifest:
        return [Artifact(path=path, digest=one["digest"], bytes=one["size"]) for path, one in manifest["files"].items()]
    return [Artifact(path="manifest.json", digest=digest, bytes=len(workspace.blobs.get(digest)))]
