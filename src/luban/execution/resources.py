"""How many processors and how much memory this process may use."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from luban.execution.cgroups import limits


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What work may use.

    Parameters
    ----------
    cpus : int
        Processors, at least 1. A quota of 2.5 counts as 2: the remainder serves the parent process.
    memory : int
        Bytes.
    """

    cpus: int
    memory: int


def resources(root: Path = Path("/"), *, affinity: int | None = None) -> Resources:
    """Return what the machine, the container and the scheduler's affinity leave to this process.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    affinity : int, optional
        Number of processors that this process may be scheduled on; asked of the system by default.
    """
    allowed = limits(root)
    cpus = min(affinity or _affinity(), allowed.cpus)
    memory = min(_physical_memory(root), allowed.memory)
    return Resources(cpus=max(1, math.floor(cpus)), memory=int(memory))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _physical_memory(root: Path) -> int:
    try:
        found = re.search(r"^MemTotal:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
