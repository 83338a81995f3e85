"""Many processes that log to one workspace at once, and what of it is there afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luban.store import Workspace

_WRITER = """
import sys
import luban
place, runs, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with luban.track("writer", workspace=place) as whole:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(runs):
        with luban.track(f"run {number}", params={"number": number}) as run:
            for step in range(steps):
                run.log({"loss": 1 / (1 + step), "accuracy": step / steps}, step=step)
print(whole.id)
"""


_ALONE = """
import sys
import luban
place, runs = sys.argv[1], int(sys.argv[2])
with luban.track("warm", workspace=place):
    pass
print("ready", flush=True)
sys.stdin.readline()
for number in range(runs):
    with luban.track(f"run {number}", params={"number": number}, workspace=place) as run:
        run.log({"loss": 0.5})
"""


def eight(workspace: Workspace, *, processes: int = 8, runs: int = 20, steps: int = 500) -> dict[str, float]:
    """Let processes log at once; raise where one fails or a value is missing, and return values a second of all."""
    said, seconds = _all(_WRITER, [str(workspace.root), str(runs), str(steps)], processes)
    for whole in said:
        parts = workspace.runs.list(parent=whole, limit=runs + 1)
        if len(parts) != runs or any(part.state != "finished" for part in parts):
            raise AssertionError("a run was lost")
        for part in parts:
            if len(workspace.runs.history(part.id, "loss")) != steps:
                raise AssertionError("values were lost")
    return {
        "eight_values_per_s": processes * runs * steps * 2 / seconds,
        "eight_runs_per_s": processes * runs / seconds,
        "eight_lost": 0.0,
    }


def eight_alone(workspace: Workspace, *, processes: int = 8, runs: int = 400) -> dict[str, float]:
    """Let processes make runs that are part of none; raise where one is lost, and return runs a second of all."""
    before = workspace.runs.count(roots=True, state="finished")
    _, seconds = _all(_ALONE, [str(workspace.root), str(runs)], processes)
    if workspace.runs.count(roots=True, state="finished") != before + processes * (runs + 1):
        raise AssertionError("a run was lost")
    return {"eight_alone_per_s": processes * runs / seconds}


def _all(program: str, arguments: list[str], processes: int) -> tuple[list[str], float]:
    """Let processes that are ready begin at once, and return what they said and how long all took, in seconds."""
    command = [sys.executable, "-c", program, *arguments]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for one in writers:
        assert one.stdout is not None
        if one.stdout.readline() != "ready\n":
            raise AssertionError("a writer did not begin")
    began = time.perf_counter()
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate()[0].strip() for one in writers]
    seconds = time.perf_counter() - began
    if any(one.returncode for one in writers):
        raise AssertionError("a writer ended with an error")
    return said, seconds
