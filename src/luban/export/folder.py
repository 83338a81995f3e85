"""The folder that an export is written into: nothing foreign stays in it, and nothing is written outside of it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from luban.core.errors import Conflict, Unavailable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

_CACHE = "__pycache__"
"""What Python leaves beside programs that were run; it is passed over."""
_SHOWN = 5


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files of an export.

    Parameters
    ----------
    folder : Path
        Made if it does not exist. Files of an earlier export of the same kind are replaced.
    contents : mapping of str to bytes
        By path within the folder, with ``/`` between its parts.

    Raises
    ------
    Unsupported
        If a path would lead out of the folder.
    Conflict
        If the folder holds anything else, is a file, or holds a link where a file is to be written.
    Unavailable
        If it cannot be written to.
    """
    for name in contents:
        check_path(name)
    try:
        _check_folder(folder, contents)
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        raise Unavailable(f"the export cannot be written to {folder}", seen=str(error)) from error


def check_path(name: str) -> None:
    """Raise `Unsupported` where a path is not one of plain parts."""
    parts = name.split("/")
    plain = all(one and one not in {".", ".."} and not one.startswith("-") and _is_plain(one) for one in parts)
    if not plain or PurePosixPath(name).is_absolute():
        raise Unsupported(
            "a part of the model has a file whose name is no plain path",
            seen=repr(name)[:200],
            remedy="Nothing was written; the preparation that names the file must be mended.",
        )


def _is_plain(part: str) -> bool:
    return not any(one in part for one in '\\:*?"<>|') and part.isprintable()


def _check_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file", remedy="Name another folder with -o (output in Python).")
    known = {PurePosixPath(name) for name in contents}
    folders = {parent for name in known for parent in name.parents}
    foreign = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if _CACHE in name.parts:
            continue
        if path.is_symlink() or name not in (folders if path.is_dir() else known):
            foreign.append(str(name))
    if foreign:
        more = f", and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise Conflict(
            f"the folder {folder} holds something else than an earlier export of this kind",
            seen=", ".join(foreign[:_SHOWN]) + more,
            remedy="Name an empty or a new folder with -o (output in Python), or empty this one.",
        )
