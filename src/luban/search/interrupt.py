"""Ctrl-C as a wish that is granted at the next good moment."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupt:
    """Whether the user has asked to stop."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Take the first Ctrl-C as a wish to end with what there is; the second raises KeyboardInterrupt at once.

    Only the main thread is sent signals; in any other nothing changes.
    """
    wish = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def asked(number: int, frame: Any) -> None:
        if wish.asked:
            signal.default_int_handler(number, frame)
        wish.asked = True

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
