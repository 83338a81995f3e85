"""What a disk refuses, in words a user can act on."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.core.errors import LubanError, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def disk_full(where: object) -> LubanError:
    """Return the error for a disk without room."""
    return Unavailable(
        "the disk is full, so nothing more was written",
        seen=str(where),
        remedy="Free some space, or move the workspace with LUBAN_WORKSPACE.",
    )


def read_only(where: object) -> LubanError:
    """Return the error for a place that cannot be written to."""
    return Refused(
        "the workspace cannot be written to",
        seen=str(where),
        remedy="Make the folder writable, or choose another one with LUBAN_WORKSPACE.",
    )


@contextmanager
def writing_to(where: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(where) from error
        if error.errno in _FORBIDDEN:
            raise read_only(where) from error
        raise Unavailable("the workspace's disk does not work", seen=f"{where}: {error}") from error
