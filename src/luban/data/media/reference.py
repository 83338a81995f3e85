"""A reference to a picture or a sound, and the content behind it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from luban.core.errors import InputError, NotFound, Unavailable
from luban.data.media.endings import media_type

_SCHEME = "data:"
_HEAD = 32


def content(reference: str) -> bytes:
    """Return the content that a reference leads to.

    Parameters
    ----------
    reference : str
        The path of a file, or ``data:<type>;base64,<content>`` (RFC 2397).

    Raises
    ------
    NotFound
        If there is no such file.
    InputError
        If it is neither.
    Unavailable
        If the file cannot be read.
    """
    if is_data_uri(reference):
        return _embedded(reference)
    try:
        return Path(reference).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {shown(reference)}", remedy="Check the path.") from None
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the file {shown(reference)} cannot be read",
            seen=str(error)[:120],
            remedy="Check the path and its rights.",
        ) from error


def is_data_uri(reference: str) -> bool:
    """Return whether the reference holds the content itself."""
    return reference[:5].lower() == _SCHEME


def data_uri(data: bytes, kind: str = "") -> str:
    """Return content as a reference that holds it.

    Parameters
    ----------
    data : bytes
    kind : str
        The media type; by default what its first bytes tell.
    """
    kind = kind or media_type(data[:_HEAD]) or "application/octet-stream"
    return f"{_SCHEME}{kind};base64,{base64.b64encode(data).decode()}"


def from_base64(text: str) -> bytes | None:
    """Return the content that `text` holds in base64, or None where it is no base64 of a picture or a sound."""
    try:
        head = base64.b64decode(text[: 4 * _HEAD], validate=False)
        if media_type(head) is None:
            return None
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def shown(reference: str) -> str:
    """Return a reference in a form that fits a message."""
    if is_data_uri(reference):
        return f"{reference.partition(',')[0]},... of {len(reference):,} characters"
    return repr(reference if len(reference) <= 200 else f"...{reference[-200:]}")


def _embedded(reference: str) -> bytes:
    head, comma, body = reference.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise InputError(
            "a data URI must hold its content in base64", seen=shown(reference), remedy="Write data:<type>;base64,..."
        )
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            "the content of a data URI is no base64",
            seen=f"{shown(reference)}: {error}",
            remedy="Encode the whole file in base64, without line breaks.",
        ) from error
