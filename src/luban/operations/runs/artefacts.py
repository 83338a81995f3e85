"""Runs artefacts: the files that a run keeps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import Conflict, NotFound
from luban.core.operation import operation

if TYPE_CHECKING:
    from luban.store import Workspace


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One kept file."""

    path: str
    bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """The files of a run, and the folder they were written into."""

    run: str
    artefacts: tuple[Artefact, ...]
    folder: str | None


@operation(permission="runs:read", name="runs artefacts")
def runs_artefacts(workspace: Workspace, run: str, path: str | None = None, *, output: Path | None = None) -> Artefacts:
    """List the files that a run keeps, or download them.

    Parameters
    ----------
    run
        Its identifier, or the beginning of it.
    path
        Only this file, or those in this folder of the run.
    output
        Folder to write them into; a file that is there already with another content is not replaced.
    """
    found = workspace.runs.get(run)
    kept = listed(workspace, found.id, path or "")
    if path is not None and not kept:
        raise NotFound(f"the run keeps nothing at {path!r}", seen=found.id, remedy=f"luban runs artefacts {found.id}")
    if output is not None:
        written(workspace, kept, output)
    return Artefacts(run=found.id, artefacts=kept, folder=None if output is None else str(output))


def listed(workspace: Workspace, run: str, under: str = "") -> tuple[Artefact, ...]:
    """Return the files of a run by path."""
    found = workspace.artifacts.list(run, under)
    return tuple(Artefact(path=one.path, bytes=one.bytes, digest=one.digest) for one in found)


def written(workspace: Workspace, kept: tuple[Artefact, ...], folder: Path) -> None:
    """Write kept files into a folder under their paths, verified.

    Raises
    ------
    Conflict
        If a file of another content is there.
    """
    from luban.store.artifacts import valid_path
    from luban.store.digests import digest_of_file

    places = {one.path: folder / valid_path(one.path) for one in kept}
    for one in kept:
        place = places[one.path]
        if place.exists() and (not place.is_file() or digest_of_file(place) != one.digest):
            raise Conflict("another file is there already", seen=str(place), remedy="Choose an empty folder.")
    for one in kept:
        place = places[one.path]
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(workspace.blobs.local(one.digest), place)
