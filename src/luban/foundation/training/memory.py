"""How much memory this process takes, and took at its worst moment."""

from __future__ import annotations

import re
import resource
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from luban.execution.resources import resources

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
            torch.cuda.init()  # there is no figure before
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


def room(place: torch.device) -> tuple[int, int]:
    """Return (bytes taken, bytes there are) where a network computes: on a GPU others take their part too."""
    if place.type == "cuda":
        free, there = torch.cuda.mem_get_info(place)
        return there - free, there
    return resident(), resources().memory


def room_beside_the_machine(place: torch.device) -> int | None:
    """Return the bytes that there are on a device with a memory of its own, None where it is the machine's.

    What other processes have taken of it is not there.
    """
    if place.type == "cpu":
        return None
    taken, there = room(place)
    return there - max(0, taken - int(torch.cuda.memory_reserved(place)))


def held(place: torch.device) -> int:
    """Return the bytes that this process holds now of the memory that `Peak` tells the most of."""
    return resident() if place.type == "cpu" else int(torch.cuda.memory_allocated(place))


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
