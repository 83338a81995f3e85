"""Jobs that go wrong, for the tests of this folder; workers import them by name."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Report = Callable[[Any], bool]


def segfault(report: Report) -> None:
    report("about to crash")
    ctypes.string_at(0)


def killed_by_the_system(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(report: Report) -> None:
    os._exit(7)


def hold_the_interpreter(report: Report, *, seconds: int) -> None:
    """Sleep in a C call that keeps Python's lock, as a long call of a library may."""
    report("holding")
    ctypes.PyDLL(None).sleep(seconds)


def who(report: Report) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "session": os.getsid(0) == os.getpid(),
        "numpy_loaded": "numpy" in sys.modules,
        "wave": "wave" in sys.modules,
    }


def read_input(report: Report) -> str:
    return sys.stdin.read()


def with_a_child(report: Report) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report(child.pid)
    time.sleep(600)


def echo(report: Report, *, text: str) -> int:
    return len(text)


def chatter(report: Report) -> str:
    sys.stderr.write("x" * 3_000_000)
    return "done"


def bad_result(report: Report) -> float:
    return float("nan")
