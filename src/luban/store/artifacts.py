"""The files that runs keep: rows of paths, content in blobs."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from luban.core.errors import InputError, NotFound
from luban.store.clock import now
from luban.store.digests import valid_digest
from luban.store.tables import artifacts, runs
from luban.store.upsert import upsert_many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.store.blobs import Blobs
    from luban.store.database import Database

LONGEST = 1000


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file that a run keeps."""

    path: str
    digest: str
    bytes: int


class Artifacts:
    """The files of the runs of a workspace."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def put(self, run: str, path: str, content: bytes) -> Artifact:
        """Keep some bytes under a path of a run, in place of what was there."""
        path = valid_path(path)
        return self.name(run, [Artifact(path=path, digest=self._blobs.put(content), bytes=len(content))])[0]

    def put_file(self, run: str, path: str, file: Path) -> Artifact:
        """Keep a file's content under a path of a run; memory stays bounded."""
        path = valid_path(path)
        digest = self._blobs.put_file(file)
        return self.name(run, [Artifact(path=path, digest=digest, bytes=file.stat().st_size)])[0]

    def put_folder(self, run: str, path: str, folder: Path) -> list[Artifact]:
        """Keep all files of a folder; links that lead out of it are refused."""
        kept = []
        for name, file in files_of(folder):
            whole = valid_path(f"{path}/{name}" if path else name)
            kept.append(Artifact(path=whole, digest=self._blobs.put_file(file), bytes=file.stat().st_size))
        return self.name(run, kept)

    def name(self, run: str, kept: Iterable[Artifact]) -> list[Artifact]:
        """Record files whose content is stored already, all of them in one transaction."""
        those = list(kept)
        with self._database.writing() as connection:
            if connection.scalar(select(runs.c.id).where(runs.c.id == run)) is None:
                raise NotFound(f"no run is named {run!r}", remedy="List them: luban runs list")
            rows = {valid_path(one.path): {"run": run, **vars(one), "created": now()} for one in those}
            for one in those:
                valid_digest(one.digest)
            upsert_many(connection, artifacts, ("run", "path"), [rows[path] for path in sorted(rows)])
        return those

    def list(self, run: str, under: str = "") -> list[Artifact]:
        """Return the files of a run by path; with `under` those in a folder, or the one file of this path."""
        query = select(artifacts.c.path, artifacts.c.digest, artifacts.c.bytes).where(artifacts.c.run == run)
        if under:
            inside = artifacts.c.path.startswith(valid_path(under) + "/", autoescape=True)
            query = query.where(inside | (artifacts.c.path == under))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(artifacts.c.path)).all()
        return [Artifact(path=row.path, digest=row.digest, bytes=row.bytes) for row in rows]

    def get(self, run: str, path: str) -> Artifact:
        """Return the file of a path, or raise `NotFound`."""
        for one in self.list(run, valid_path(path)):
            if one.path == path:
                return one
        raise NotFound(f"the run keeps no file {path[:200]!r}", seen=run, remedy=f"luban runs artefacts {run}")

    def remove(self, run: str, path: str) -> int:
        """Forget a file, or all in a folder, and return how many; their content stays with others that have it."""
        inside = artifacts.c.path.startswith(valid_path(path) + "/", autoescape=True)
        those = (artifacts.c.run == run) & (inside | (artifacts.c.path == path))
        with self._database.writing() as connection:
            return connection.execute(delete(artifacts).where(those)).rowcount


def valid_path(path: str) -> str:
    r"""Return a path of plain parts with ``/`` between them, or raise `InputError`.

    What leads upwards or to a root, in any spelling (``..``, ``\``, a drive, a percent escape, control characters), is
    refused: such a path is made a file's name again when it is downloaded.
    """
    parts = path.split("/") if isinstance(path, str) else [""]
    escaped = any(f"%{code}" in path.lower() for code in ("2e", "2f", "5c", "00", "25"))
    plain = all(part.strip() not in ("", ".", "..") and part.isprintable() for part in parts)
    if len(path) > LONGEST or not plain or escaped or "\\" in path or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise InputError(
            "this cannot be the path of a kept file",
            seen=repr(path)[:200],
            remedy=f"Use names with '/' between them, without '..', at most {LONGEST} characters.",
        )
    return path


def files_of(folder: Path) -> list[tuple[str, Path]]:
    """Return (name, path) of all files below a folder, by name.

    Raises
    ------
    InputError
        If it is no folder, or a link in it leads elsewhere or to itself.
    """
    if not folder.is_dir():
        raise InputError("there is no such file or folder to keep", seen=str(folder))
    root = folder.resolve()
    found = []
    for place, _folders, names in os.walk(folder):
        for name in names:
            file = Path(place) / name
            if file.is_symlink() and _turns(file):
                raise InputError("a link in the folder leads to itself", seen=str(file))
            if not file.resolve().is_relative_to(root):
                raise InputError("a link in the folder leads out of it", seen=str(file))
            if file.is_file():
                found.append((file.relative_to(folder).as_posix(), file))
    return sorted(found)


def _turns(link: Path) -> bool:
    """Return whether a link leads to itself, over others or at once."""
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
