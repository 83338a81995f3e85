"""Limits of containers are read from trees of files like those that Linux shows, of both versions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from luban.execution.resources import resources
from luban.execution.threads import thread_environment

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
V2_MOUNT = "30 23 0:26 {inside} {at} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "31 23 0:27 {inside} {at} rw,nosuid shared:5 - cgroup cgroup rw,{controllers}\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_limits_leave_the_machine(tmp_path: Path) -> None:
    found = resources(tree(tmp_path, {}), affinity=6)
    assert (found.cpus, found.memory) == (6, 16 * GIB)


@pytest.mark.parametrize(
    ("quota", "cpus"), [("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1), ("max 100000", 8)]
)
def test_v2_quota(tmp_path: Path, quota: str, cpus: int) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT.format(inside="/", at="/sys/fs/cgroup"),
            "sys/fs/cgroup/cpu.max": quota + "\n",
            "sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        },
    )
    found = resources(root, affinity=8)
    assert (found.cpus, found.memory) == (cpus, 2 * GIB)


def test_v2_smallest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/shell.scope\n",
            "proc/self/mountinfo": V2_MOUNT.format(inside="/", at="/sys/fs/cgroup"),
            "sys/fs/cgroup/user.slice/shell.scope/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/shell.scope/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{GIB}\n",
        },
    )
    found = resources(root, affinity=8)
    assert (found.cpus, found.memory) == (3, GIB)


def test_v1_with_joint_controllers_and_a_mount_of_the_hosts_group(tmp_path: Path) -> None:
    """Docker without a namespace: the path of the group is the host's, and only that group is mounted."""
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n",
            "proc/self/mountinfo": V1_MOUNT.format(
                inside="/docker/ab", at="/sys/fs/cgroup/cpu,cpuacct", controllers="cpu,cpuacct"
            )
            + V1_MOUNT.format(inside="/docker/ab", at="/sys/fs/cgroup/memory", controllers="memory"),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "50000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GIB}\n",
        },
    )
    found = resources(root, affinity=8)
    assert (found.cpus, found.memory) == (3, 3 * GIB)


def test_v1_says_no_limit_with_a_huge_number_and_minus_one(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/a\n4:cpu:/a\n0::/\n",
            "proc/self/mountinfo": V1_MOUNT.format(inside="/", at="/sys/fs/cgroup/cpu", controllers="cpu")
            + V1_MOUNT.format(inside="/", at="/sys/fs/cgroup/memory", controllers="memory"),
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    found = resources(root, affinity=4)
    assert (found.cpus, found.memory) == (4, 16 * GIB)


def test_this_machine_gives_something_sensible() -> None:
    found = resources()
    assert 1 <= found.cpus <= (os.cpu_count() or 1)
    assert found.memory > 64 << 20


def test_all_thread_pools_are_held() -> None:
    environment = thread_environment(3)
    assert (
        environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    )
