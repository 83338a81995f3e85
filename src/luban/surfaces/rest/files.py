"""The files that requests may name: those in one folder of the workspace, and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from luban.core.errors import NotFound, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from luban.store import Workspace

_PLAIN = re.compile(r"[\w][\w.\- ]*")


def inside(folder: Path, name: str) -> Path:
    """Return the path of `name` under `folder`.

    Raises
    ------
    Refused
        If the name could lead out of the folder, or is not made of plain parts.
    """
    parts = name.split("/")
    if not all(_PLAIN.fullmatch(part) for part in parts):
        raise Refused(
            "the file name is not allowed",
            seen=repr(name[:100]),
            remedy="Use letters, digits, spaces, '.', '-' and '_', with '/' between folders.",
        )
    path = folder.joinpath(*parts).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Refused("the file name leads out of the folder of files", seen=repr(name[:100]))
    return path


def data(workspace: Workspace, folder: Path, value: Any) -> Any:
    """Return what a request means by data: rows as they are, an uploaded file, or a data set of the workspace.

    Paths and URLs of the server's own machine are not reachable through it.
    """
    if not isinstance(value, str):
        return value
    path = inside(folder, value)
    if path.is_file():
        return str(path)
    if "." not in value.rsplit("/", 1)[-1]:
        return workspace.datasets.get(value)
    known = [str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()]
    raise NotFound.named("uploaded file", value, known, remedy=f"Upload it first: PUT /api/files/{value}")
