"""Blobs in a local folder."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from luban.core.errors import NotFound, Unavailable
from luban.store.digests import PREFIX, digest_of_file, pieces, verify
from luban.store.disk import writing_to

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STALE = 24 * 3600.0
_HOUR = 3600.0


class Folder:
    """Write-once files, each named by its digest.

    A file is written under another name in the same file system, brought to the disk (fsync) and
    renamed, which is atomic: whoever is killed on the way leaves at most a file in ``incoming``
    that nobody reads and that is removed a day later.

    Parameters
    ----------
    root : Path
        Made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._next = -math.inf

    def path(self, digest: str) -> Path:
        """Return where the content of this digest is, or would be."""
        plain = digest.removeprefix(PREFIX)
        return self.root / "sha256" / plain[:2] / plain[2:]

    def has(self, digest: str) -> bool:
        """Return whether the content is here."""
        return self.path(digest).is_file()

    def read(self, digest: str) -> bytes:
        """Return the content, not verified."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise missing(digest, self.root) from None
        except OSError as error:
            raise Unavailable("a stored file cannot be read", seen=str(error)) from error

    def verified(self, digest: str) -> Path:
        """Return the path of the content after its digest was checked."""
        path = self.path(digest)
        try:
            found = digest_of_file(path)
        except FileNotFoundError:
            raise missing(digest, self.root) from None
        except OSError as error:
            raise Unavailable("a stored file cannot be read", seen=str(error)) from error
        verify(digest, found, str(path))
        return path

    def intact(self, digest: str) -> bool:
        """Return whether the content is here and undamaged."""
        path = self.path(digest)
        return path.is_file() and digest_of_file(path) == digest

    def write(self, content: Iterable[bytes], digest: str | None = None) -> str:
        """Store the content and return its digest; what is here already and undamaged is left alone.

        Parameters
        ----------
        digest : str, optional
            Where it is known beforehand; content of another digest is refused as `Tampered`.
        """
        incoming = self.root / "incoming"
        with writing_to(self.root):
            if digest is not None and self.intact(digest):
                return digest
            incoming.mkdir(parents=True, exist_ok=True)
            self.tidy()
            handle, name = tempfile.mkstemp(dir=incoming)
            try:
                found = _fill(handle, content)
                if digest is not None:
                    verify(digest, found, name)
                if not self.intact(found):
                    self._move(name, found)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)  # noqa: PTH108 - a name, not a Path, on the hot path
        return found

    def write_file(self, path: Path, digest: str | None = None) -> str:
        """Store a file's content and return its digest."""
        return self.write(pieces(path), digest)

    def remove(self, digest: str) -> None:
        """Erase the content where it is here."""
        with writing_to(self.root):
            self.path(digest).unlink(missing_ok=True)

    def _move(self, name: str, digest: str) -> None:
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(name, target)  # noqa: PTH105
        _sync_folder(target.parent)

    def tidy(self) -> None:
        """Remove what killed writers left, once it is a day old; looked for by the hour at most."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _HOUR
        with suppress(FileNotFoundError):  # nothing was ever written, or another process tidies up too
            for left in (self.root / "incoming").iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > STALE:
                        left.unlink()


def missing(digest: str, where: object) -> NotFound:
    """Return the error for content that is not there."""
    return NotFound(
        f"the content {digest} is not in the workspace",
        seen=str(where),
        remedy="It was removed, or LUBAN_BLOBS points elsewhere.",
    )


def _fill(handle: int, content: Iterable[bytes]) -> str:
    """Write the content to an open file, bring it to the disk and return its digest."""
    hashed = hashlib.sha256()
    with os.fdopen(handle, "wb") as file:
        for piece in content:
            hashed.update(piece)
            file.write(piece)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())
    return PREFIX + hashed.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
