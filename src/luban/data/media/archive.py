"""Zip archives of pictures and sounds, unpacked into a folder that lives as long as the process."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

from luban.core.errors import InputError, Refused
from luban.data.media import spill
from luban.data.media.endings import kind_of_name

MOST_BYTES = 64 << 30
MOST_RATIO = 200
"""Content that was compressed more than this is no picture or sound but an attempt to fill the disk."""
_unpacked: dict[tuple[str, float, int], Path] = {}


def holds_media(path: Path) -> bool:
    """Return whether the file is a zip archive with pictures or sounds in it."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return any(kind_of_name(name) is not None for name in file.namelist())
    except zipfile.BadZipFile:
        return False


def unpacked(path: Path) -> Path:
    """Return the folder that holds the content of the archive.

    Raises
    ------
    Refused
        If a member leads out of the archive, is a link, or is far larger than it should be.
    InputError
        If the archive is damaged or locked.
    """
    state = path.stat()
    key = (str(path.resolve()), state.st_mtime, state.st_size)
    known = _unpacked.get(key)
    if known is not None and known.is_dir():
        return known
    folder = spill.folder() / f"archive-{len(_unpacked)}"
    try:
        with zipfile.ZipFile(path) as file:
            members = [one for one in file.infolist() if not one.is_dir()]
            _check(path, members)
            for member in members:
                file.extract(member, folder)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"the archive {str(path)!r} cannot be unpacked",
            seen=str(error)[:120],
            remedy="Make it again, without a password.",
        ) from error
    inside = [one for one in folder.iterdir() if one.name != "__MACOSX"]
    if len(inside) == 1 and inside[0].is_dir() and any(one.is_dir() for one in inside[0].iterdir()):
        folder = inside[0]  # a folder of class folders was packed as a whole
    _unpacked[key] = folder
    return folder


def _check(path: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        parts = PurePosixPath(member.filename).parts
        absolute = member.filename.startswith(("/", "\\")) or os.path.splitdrive(member.filename)[0]
        if absolute or ".." in parts or stat.S_ISLNK(member.external_attr >> 16):
            raise Refused(
                f"the archive {str(path)!r} holds a path that leads out of it",
                seen=repr(member.filename[:120]),
                remedy="Make it again from a folder without links.",
            )
        if member.file_size > 1 << 20 and member.file_size > MOST_RATIO * max(1, member.compress_size):
            raise Refused(
                f"the archive {str(path)!r} holds a file that is far larger than its packed form",
                seen=f"{member.filename[:120]!r}: {member.compress_size:,} bytes become {member.file_size:,}",
                remedy="Unpack it yourself if you trust it, and give the folder.",
            )
    whole = sum(one.file_size for one in members)
    if whole > MOST_BYTES:
        raise Refused(
            f"the archive {str(path)!r} is too large to be unpacked on the way",
            seen=f"{whole:,} bytes",
            remedy="Unpack it yourself and give the folder.",
        )
