"""URLs opened through fsspec, and in words why one cannot be.

Each file system has errors of its own, and most hide the cause behind "file not found"; the chain of causes tells it.
"""

from __future__ import annotations

import io
import re
import socket
import ssl
from typing import IO, TYPE_CHECKING, Any, cast

from luban.core.errors import InputError, LubanError, MissingExtra, NotFound, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSWORD = re.compile(r"(://[^:/@]*):[^@]+@")
# What brings the file system of a scheme, where a package of another name does.
_PACKAGES = {"http": "fsspec[http]", "https": "fsspec[http]", "s3": "luban[s3]", "s3a": "luban[s3]"}


def is_url(location: Any) -> bool:
    """Return whether `location` names something by a scheme: ``https://``, ``s3://``, ..."""
    return "://" in str(location)


def without_password(url: Any) -> str:
    """Return a URL as it may be shown."""
    return _PASSWORD.sub(r"\1:***@", str(url))


def open_url(url: str) -> IO[bytes]:
    """Return the content of a URL as a stream of bytes.

    Raises
    ------
    NotFound
        If there is nothing at the URL.
    Refused
        If the server wants other rights.
    Unavailable
        If no server answers.
    MissingExtra
        If the scheme needs a package that is not installed.
    InputError
        If there is no such scheme.
    """
    import fsspec

    try:
        return io.BufferedReader(_Told(fsspec.open(url, "rb").open(), url), 1 << 20)
    except Exception as error:  # they share no root
        raise _told(url, error) from error


class _Told(io.RawIOBase):
    """A stream of fsspec whose errors, such as a connection that is lost, are told as any other."""

    def __init__(self, stream: Any, url: str) -> None:
        self._stream, self._url = stream, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._stream.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        return cast("int", self._stream.seek(offset, whence))

    def tell(self) -> int:
        return cast("int", self._stream.tell())

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:  # they share no root
            raise _told(self._url, error) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _told(url: str, error: Exception) -> LubanError:
    """Return what went wrong with a URL."""
    shown, causes = without_password(url), list(_causes(error))
    scheme = url.split("://", 1)[0].lower()
    for one in causes:
        if isinstance(one, LubanError):
            return one
        if isinstance(one, ImportError):
            return MissingExtra(
                f"reading {scheme}:// needs a package that is not installed",
                seen=str(causes[0]),
                remedy=f"Run: pip install '{_PACKAGES[scheme]}'"
                if scheme in _PACKAGES
                else "Install the package that is named.",
            )
    if isinstance(error, ValueError) and "rotocol" in str(error):
        return InputError(
            f"there is no way to read {scheme}://",
            seen=shown,
            remedy="Give a file, an http(s):// or s3:// URL, or the URL of a database.",
        )
    status = next((code for code in map(_status, causes) if code), 0)
    if status:
        return _answered(shown, status)
    if any(type(one).__name__ in ("NoCredentialsError", "PartialCredentialsError") for one in causes):
        return Refused(
            f"{shown!r} needs credentials and none are set",
            seen=str(error),
            remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile with AWS_PROFILE.",
        )
    if any(isinstance(one, socket.gaierror) for one in causes):
        return Unavailable(
            f"no computer of that name is known: {shown!r}",
            seen=_last(causes),
            remedy="Check the spelling of the host, and that this machine has a network; or download the file "
            "elsewhere and give its path.",
        )
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return Unavailable(
            f"no safe connection to {shown!r} could be made",
            seen=_last(causes),
            remedy="Check its certificate, or whether it is http:// instead.",
        )
    if isinstance(error, PermissionError):
        return _answered(shown, 403)
    if isinstance(error, FileNotFoundError) and len(causes) == 1:
        return _answered(shown, 404)
    return Unavailable(
        f"{shown!r} cannot be reached",
        seen=_last(causes),
        remedy="Check the address, the network and that its server runs; or download the file and give its path.",
    )


def _answered(shown: str, status: int) -> LubanError:
    """Return what a server's refusal means, by the code of HTTP."""
    if status in (404, 410):
        return NotFound(f"there is nothing at {shown!r}", remedy="Check the address.")
    if status in (401, 403, 407):
        return Refused(
            f"the server does not let this be read: {shown!r}",
            seen=f"it answers {status}",
            remedy="Give an address that needs no login, or set the credentials that its file system reads.",
        )
    return Unavailable(
        f"the server of {shown!r} has trouble",
        seen=f"it answers {status}",
        remedy="Try again later, or download the file and give its path.",
    )


def _status(error: BaseException) -> int:
    """Return the code of HTTP in an error of aiohttp or botocore; 0 where there is none."""
    found = getattr(error, "status", None)
    if found is None and isinstance(getattr(error, "response", None), dict):
        found = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")  # type: ignore[attr-defined]
    return found if isinstance(found, int) and found >= 400 else 0


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _last(causes: list[BaseException]) -> str:
    """Return the innermost cause in a line."""
    text = " ".join(str(causes[-1]).split()) or type(causes[-1]).__name__
    return without_password(text)[:200]
