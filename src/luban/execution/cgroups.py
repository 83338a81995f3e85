"""The limits that a container puts on this process, read from the control groups of Linux.

Both versions are understood, and both at once (a hybrid host). A limit may stand at any level
between the group of the process and the root of what is mounted, so the smallest one counts.

References
----------
https://docs.kernel.org/admin-guide/cgroup-v2.html, sections on ``cpu.max`` and ``memory.max``;
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html; https://docs.kernel.org/scheduler/sched-bwc.html.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNIFIED = ""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What control groups allow: processors and bytes, infinite where nothing is said."""

    cpus: float = math.inf
    memory: float = math.inf


def limits(root: Path = Path("/")) -> Limits:
    """Return the limits of this process as the file tree under `root` tells them."""
    cpus = memory = math.inf
    for controllers, folder in _groups(root):
        if UNIFIED in controllers:
            cpus = min(cpus, _read(folder / "cpu.max", _cpu_max))
            memory = min(memory, _read(folder / "memory.max", _bytes))
        if "cpu" in controllers:
            cpus = min(cpus, _cpu_quota(folder))
        if "memory" in controllers:
            memory = min(memory, _read(folder / "memory.limit_in_bytes", _bytes))
    return Limits(cpus=cpus, memory=memory)


def _groups(root: Path) -> Iterator[tuple[set[str], Path]]:
    """Yield (controllers, folder) of each group that this process is in, and of all groups above them."""
    own = _own_groups(root)
    for controllers, mounted, inside in _mounts(root):
        for controller in sorted(controllers & set(own)):
            # In a container without a namespace of its own, the path is that of the host and what is mounted is the
            # part of the tree that begins at `inside`.
            path = own[controller]
            relative = path[len(inside.rstrip("/")) :] if path.startswith(inside) else ""
            top = root / mounted.lstrip("/")
            folder = top / relative.strip("/")
            while folder != top:
                yield {controller}, folder
                folder = folder.parent
            yield {controller}, top


def _own_groups(root: Path) -> dict[str, str]:
    """Return the path of this process's group by controller; version 2 is under the name ``""``."""
    groups: dict[str, str] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _mounts(root: Path) -> Iterator[tuple[set[str], str, str]]:
    """Yield (controllers, mount point, the part of the tree that is mounted) of all control-group mounts."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if kind[0] == "cgroup2":
            yield {UNIFIED}, _unescape(fields[4]), _unescape(fields[3])
        elif kind[0] == "cgroup":
            yield set(kind[2].split(",")), _unescape(fields[4]), _unescape(fields[3])


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # not Linux, or hidden by the container: then there is nothing to obey
        return []


def _read(path: Path, parse: Callable[[str], float]) -> float:
    lines = _lines(path)
    return parse(lines[0]) if lines else math.inf


def _cpu_max(text: str) -> float:
    quota, _, period = text.partition(" ")
    return math.inf if quota == "max" else float(quota) / float(period or 100_000)


def _cpu_quota(folder: Path) -> float:
    quota = _read(folder / "cpu.cfs_quota_us", float)
    period = _read(folder / "cpu.cfs_period_us", float)
    return quota / period if 0 < quota < math.inf and 0 < period < math.inf else math.inf


def _bytes(text: str) -> float:
    # Version 1 writes "no limit" as the largest multiple of the page size that a signed 64-bit number holds.
    return math.inf if text == "max" or int(text) >= 1 << 62 else float(text)
