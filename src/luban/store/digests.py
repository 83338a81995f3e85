"""Names of content: the SHA-256 digest of its bytes, written ``sha256:<64 hex digits>``."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, Tampered
from luban.core.serial import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "sha256:"
CHUNK = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the digest of a file, read in pieces of 1 MiB."""
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def valid_digest(digest: str) -> str:
    """Return `digest`, or raise `InputError` where it is none; it becomes part of a path."""
    if not _DIGEST.fullmatch(digest):
        raise InputError("this is no digest", seen=repr(digest[:100]), remedy="Give sha256: and 64 hex digits.")
    return digest


def verify(digest: str, found: str, where: str) -> None:
    """Raise `Tampered` unless the digest that was found is the one in the name."""
    if found != digest:
        raise Tampered(
            f"the content of {digest} is not what was stored",
            seen=f"{found} in {where}",
            remedy="It was changed or damaged after it was written; restore it from a copy, or make it anew.",
        )


def canonical_json(value: Any) -> bytes:
    """Return `value` as JSON in the one form that is hashed: sorted keys, no spaces, UTF-8."""
    text = json.dumps(to_json(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in pieces of 1 MiB."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
