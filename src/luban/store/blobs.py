"""Content that lasts, named by its digest: write-once, de-duplicated, verified when read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from luban.core.errors import InputError
from luban.store.digests import canonical_json, digest_of, digest_of_file, valid_digest, verify
from luban.store.disk import writing_to
from luban.store.folder import Folder
from luban.store.remote import Remote


class Blobs:
    """All content of a workspace.

    Parameters
    ----------
    location : str or Path
        A local folder, or a URL that fsspec understands: ``s3://bucket/prefix``, ``memory://name``.
        Local folders are written without fsspec, which has no fsync and no atomic rename.
    cache : Path, optional
        Folder for local copies of remote content.
    options : object
        Passed on to fsspec, such as ``endpoint_url``.
    """

    def __init__(self, location: str | Path, *, cache: Path | None = None, **options: Any) -> None:
        self.location = str(location)
        local = _local_folder(location)
        self._options = options
        self._place: Folder | Remote = Folder(local) if local is not None else Remote(self.location, **options)
        self._cache = Folder(cache or Path(tempfile.gettempdir()) / "luban-blobs")

    def below(self, name: str, *, cache: Path | None = None) -> Blobs:
        """Return a place of its own below this one, with the same options: what is put there is not here."""
        return Blobs(f"{self.location.rstrip('/')}/{name}", cache=cache or self._cache.root / name, **self._options)

    def put(self, content: bytes) -> str:
        """Store some bytes and return their digest; when this returns they are on the disk."""
        if isinstance(self._place, Folder):
            return self._place.write([content], digest_of(content))
        return self._place.write([content])

    def put_file(self, path: str | Path) -> str:
        """Store a file's content and return its digest; memory stays bounded."""
        source = Path(path)
        if not source.is_file():
            raise InputError("there is no such file to store", seen=str(path))
        return self._place.write_file(source)

    def put_json(self, value: Any) -> str:
        """Store a value made of JSON values or dataclasses, in canonical form, and return its digest."""
        return self.put(canonical_json(value))

    def get(self, digest: str) -> bytes:
        """Return content after verifying it.

        Raises
        ------
        Tampered
            If it is not what was stored.
        NotFound
            If it is not there.
        """
        content = self._place.read(valid_digest(digest))
        verify(digest, digest_of(content), self.location)
        return content

    def get_json(self, digest: str) -> Any:
        """Return the JSON value of this digest, verified."""
        return json.loads(self.get(digest))

    def has(self, digest: str) -> bool:
        """Return whether the content is there; it is not read."""
        return self._place.has(valid_digest(digest))

    def remove(self, digest: str) -> None:
        """Erase content for good, here and in the local cache.

        Only what holds people's data is ever erased, and only by whoever knows that no row names it any more.
        """
        self._place.remove(valid_digest(digest))
        self._cache.remove(digest)

    def copies(self) -> list[Folder]:
        """Return the folders below the local cache in which others (see `below`) have copies of remote content."""
        if isinstance(self._place, Folder) or not self._cache.root.is_dir():
            return []
        return [Folder(one) for one in sorted(self._cache.root.iterdir()) if (one / "sha256").is_dir()]

    def tidy(self) -> None:
        """Remove what killed writers left half written, once it is a day old; in an object store they leave nothing."""
        if isinstance(self._place, Folder):
            self._place.tidy()

    def path(self, digest: str) -> Path:
        """Return where `local` puts the content; nothing is looked for."""
        return (self._place if isinstance(self._place, Folder) else self._cache).path(valid_digest(digest))

    def local(self, digest: str) -> Path:
        """Return the path of a local, verified copy, read-only: for memory mapping and for readers of files."""
        valid_digest(digest)
        if isinstance(self._place, Folder):
            return self._place.verified(digest)
        if self._cache.intact(digest):
            return self._cache.path(digest)
        with writing_to(self._cache.root):
            self._cache.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._cache.root, prefix="fetch-") as folder:
                fetched = Path(folder) / "content"
                self._place.fetch(digest, fetched)
                verify(digest, digest_of_file(fetched), self.location)
                self._cache.write_file(fetched, digest)
        return self._cache.path(digest)


def _local_folder(location: str | Path) -> Path | None:
    text = str(location)
    if "://" not in text:
        return Path(text).expanduser().absolute()
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme in ("file", "local") else None
