"""Blobs in an object store, through fsspec."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from luban.core.errors import LubanError, MissingExtra, Unavailable
from luban.store.digests import PREFIX, digest_of, digest_of_file
from luban.store.folder import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Remote:
    """Write-once objects, each named by its digest, under one URL that fsspec understands.

    An object store shows an object when it is whole and not before, so a killed writer leaves
    nothing that can be read.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/prefix`` or ``memory://name``.
    options : object
        Passed on to fsspec, such as ``endpoint_url`` or ``key``.
    """

    def __init__(self, url: str, **options: Any) -> None:
        import fsspec

        self.url = url.rstrip("/")
        try:
            # Listings are kept by some file systems; another process may have written since.
            self._files, self._prefix = fsspec.core.url_to_fs(self.url, use_listings_cache=False, **options)
        except ImportError as error:
            scheme = url.split("://", 1)[0]
            raise MissingExtra(
                f"blobs at {scheme}:// need a package that is not installed",
                seen=str(error),
                remedy=f"Run: pip install 'luban[{scheme}]', or the fsspec package for {scheme}.",
            ) from error
        except ValueError as error:
            raise Unavailable(
                "the address of the blobs is not understood", seen=str(error), remedy="See LUBAN_BLOBS."
            ) from error

    def has(self, digest: str) -> bool:
        """Return whether the content is there."""
        with self._reaching():
            return bool(self._files.exists(self._key(digest)))

    def read(self, digest: str) -> bytes:
        """Return the content, not verified."""
        with self._reaching(digest):
            content: bytes = self._files.cat_file(self._key(digest))
            return content

    def fetch(self, digest: str, path: Path) -> None:
        """Write the content, not verified, to a local file."""
        with self._reaching(digest):
            self._files.get_file(self._key(digest), str(path))

    def write(self, content: Iterable[bytes]) -> str:
        """Store the content, unless it is there already, and return its digest."""
        whole = b"".join(content)
        digest = digest_of(whole)
        if not self.has(digest):
            with self._reaching():
                self._make_parent(digest)
                self._files.pipe_file(self._key(digest), whole)
        return digest

    def write_file(self, path: Path) -> str:
        """Store a file's content, unless it is there already, and return its digest."""
        digest = digest_of_file(path)
        if not self.has(digest):
            with self._reaching():
                self._make_parent(digest)
                self._files.put_file(str(path), self._key(digest))
        return digest

    def remove(self, digest: str) -> None:
        """Erase the content where it is there."""
        with self._reaching(), suppress(FileNotFoundError):
            self._files.rm_file(self._key(digest))

    def _key(self, digest: str) -> str:
        plain = digest.removeprefix(PREFIX)
        return f"{self._prefix}/sha256/{plain[:2]}/{plain[2:]}"

    def _make_parent(self, digest: str) -> None:
        self._files.makedirs(self._key(digest).rsplit("/", 1)[0], exist_ok=True)

    @contextmanager
    def _reaching(self, digest: str = "") -> Iterator[None]:
        try:
            yield
        except LubanError:
            raise
        except FileNotFoundError as error:
            if digest:
                raise missing(digest, self.url) from error
            raise Unavailable("the place of the blobs does not exist", seen=self.url) from error
        # Each file system has errors of its own and they share no root, so all are caught and told.
        except Exception as error:
            raise Unavailable(
                "the place of the blobs does not answer as it should",
                seen=f"{self.url}: {type(error).__name__}: {error}",
                remedy="Check the network, the credentials and LUBAN_BLOBS.",
            ) from error
