"""Threads of the server among each other: who goes before whom, and for how long."""

from __future__ import annotations

import gc
import os
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from luban.serving.light import give_back

if TYPE_CHECKING:
    from collections.abc import Iterator

_NICE = 10
_TURN = 0.0005  # seconds


def yield_to_others() -> None:
    """Let the operating system prefer all other threads to the one that calls; only Linux has this for threads."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it; then it competes as others do
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@contextmanager
def kept_out_of_collections() -> Iterator[None]:
    """Keep what is there now out of Python's garbage collection, while the context is open.

    A server has some hundred thousand objects that stay; to look through all of them takes longer than many requests.
    """
    gc.collect()
    give_back()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def turns_are_short() -> Iterator[None]:
    """Let a thread that waits for Python's lock have it soon, while the context is open.

    The loop gives the lock away with every packet that it reads or sends. While another thread computes, one that
    writes the prediction log say, it has it back only after a turn, which is 5 ms by default.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
