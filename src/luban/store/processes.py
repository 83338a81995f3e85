"""Which process does some work, so that others can tell whether it still can."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def this_process() -> dict[str, Any]:
    """Return what tells this process from all others: the machine, its start, the number, and when that began."""
    return dict(_this(os.getpid()))


@lru_cache(maxsize=1)
def _this(number: int) -> dict[str, Any]:
    return {"host": socket.gethostname(), "boot": _boot(), "number": number, "began": _began(number)}


def is_gone(process: Mapping[str, Any] | None) -> bool:
    """Return whether a process of this machine has ended; of other machines, and without knowing, False."""
    if not process or process.get("host") != socket.gethostname():
        return False
    if process.get("boot") != _boot():
        return True
    number = int(process["number"])
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, so it is there
        pass
    # The number may have been given to another process since.
    return process.get("began") != _began(number)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # no Linux: a number alone must do
        return ""


def _began(number: int) -> int:
    """Return when a process began, in ticks since the machine did; 0 where this cannot be known."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])
