"""Threads of the server that others go before."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

_NICE = 10


def yield_to_others() -> None:
    """Let the operating system prefer all other threads to the one that calls; only Linux has this for threads."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it; then it competes as others do
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
