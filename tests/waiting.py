"""What tests of processes and threads wait for, and look at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def until(what: Callable[[], Any], seconds: float = 180.0) -> Any:
    """Return what a function returns as soon as it is true; fail where it never is.

    The time is generous: it is reached only where something is broken.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to be")


def children(process: int) -> list[int]:
    """Return the process ids of the children of a process, on Linux."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
