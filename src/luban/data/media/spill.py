"""Content that came inside a table or an archive, kept in files while the process lives, to spare the memory."""

from __future__ import annotations

import hashlib
import tempfile
from functools import cache
from pathlib import Path


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="luban-media-")  # removed when the interpreter ends


def folder() -> Path:
    """Return the folder of this process for such files."""
    return Path(_temporary().name)


def kept(content: bytes) -> str:
    """Return the path of a file with this content; equal content has one file."""
    name = hashlib.sha256(content).hexdigest()
    path = folder() / name[:2] / name
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(".part")
        half.write_bytes(content)
        half.rename(path)
    return str(path)
