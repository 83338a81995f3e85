"""How much memory this process takes, and took at its worst moment."""

from __future__ import annotations

import re
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from types import TracebackType

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_EVERY = 0.01


class Peak:
    """The most memory that a block took, in bytes: of the processor, or of CUDA where the work is there.

    Linux keeps that figure itself and lets a process set it back; elsewhere it is looked at a hundred times a second.

    Attributes
    ----------
    bytes : int
        Known once the block has ended.
    """

    bytes: int

    def __init__(self, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        self._seen = 0
        self._done = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._cuda is not None:
            torch.cuda.reset_peak_memory_stats(self._cuda)
        elif not _set_back():
            self._watch = threading.Thread(target=self._look, daemon=True)
            self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._cuda is not None:
            self.bytes = int(torch.cuda.max_memory_allocated(self._cuda))
        elif self._watch is not None:
            self._watch.join()
            self.bytes = max(self._seen, resident())
        else:
            self.bytes = _status("VmHWM") or resident()

    def _look(self) -> None:
        while not self._done.wait(_EVERY):
            self._seen = max(self._seen, resident())


def resident() -> int:
    """Return the bytes of memory that this process holds now (at most so far, where the system tells no more)."""
    now = _status("VmRSS")
    if now is not None:
        return now
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _set_back() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return _status("VmHWM") is not None


def _status(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
