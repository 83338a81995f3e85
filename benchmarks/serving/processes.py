"""Servers as processes of their own: started, waited for, weighed, stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE = 120.0
"""Seconds for a server to answer."""


class NoServer(Exception):
    """A server did not start."""


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    command: Sequence[str], port: int, log: Path, *, health: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Run a server until the context is left; gives its URL and the process at the head of its tree.

    Parameters
    ----------
    health : str
        Path that answers 200 as soon as it takes requests.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            list(command),
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port, health):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(f"{command[0]}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        tree = _tree(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for left in tree[1:]:  # children that a killed parent left behind
            if Path(f"/proc/{left}").exists():
                os.kill(left, signal.SIGKILL)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def memory(process: int) -> dict[str, float]:
    """Return the resident memory of a process and all below it, in MiB.

    ``rss_mib`` counts a page that several processes share once for each, ``pss_mib`` by its share.
    """
    sums = {"Pss:": 0, "Rss:": 0}
    tree = _tree(process)
    for one in tree:
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in sums:
                sums[name] += int(rest[0])
    return {
        "pss_mib": round(sums["Pss:"] / 1024, 1),
        "rss_mib": round(sums["Rss:"] / 1024, 1),
        "processes": len(tree),
    }


def processor(process: int) -> float:
    """Return the seconds of processor time that a process and all below it have taken."""
    ticks = 0
    for one in _tree(process):
        after_name = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(process: int) -> list[int]:
    found = [process]
    for one in found:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in path.read_text().split()]
    return found
