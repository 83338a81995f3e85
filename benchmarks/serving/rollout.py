"""Versions that change while clients ask: swaps, a canary that fails, a shadow."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.serving.client import ask
from benchmarks.serving.model import DEPLOYMENT, FAILING, GOOD, NAME, OTHER
from benchmarks.serving.systems import luban
from luban.store import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.serving.model import Made

REQUESTS = 10_000
CLIENTS = 16
_SWAPS = 8
_BETWEEN = 0.4  # seconds
_CANARY = 0.05
_RUNS = 5
_TURNS = 6
_TURN = 1.5  # seconds


def swap(made: Made, folder: Path, _environments: Path) -> dict[str, Any]:
    """Move an alias to and fro under load: what failed, and how long until the first answer of the new version."""
    moved: list[float] = []
    took: list[float] = []
    wanted = ""
    switching = threading.Event()

    def seen(now: float, _code: int, body: bytes) -> bool:
        if switching.is_set() and f'"{NAME}/{wanted}"'.encode() in body:
            took.append(now - moved[-1])
            switching.clear()
        return False

    with Workspace.open(made.root, actor="benchmark") as workspace:
        workspace.models.set_alias(NAME, "live", 1)
        with luban(made, folder, names=(f"{NAME}@live",)) as running:
            requests = running.requests["records"]
            requests = [one.replace(f"/models/{NAME}@live/".encode(), f"/models/{NAME}/".encode()) for one in requests]

            def move() -> None:
                nonlocal wanted
                time.sleep(_BETWEEN)
                for turn in range(_SWAPS):
                    wanted = str(2 - turn % 2)
                    workspace.models.set_alias(NAME, "live", int(wanted))
                    moved.append(time.perf_counter())
                    switching.set()
                    time.sleep(_BETWEEN)

            mover = threading.Thread(target=move)
            mover.start()
            answers = ask(running.url, requests, CLIENTS, count=REQUESTS, warm=0.0, seen=seen)
            while mover.is_alive():
                answers.codes += ask(running.url, requests, CLIENTS, count=REQUESTS // 10, warm=0.0, seen=seen).codes
            mover.join()
    return {
        "requests": sum(answers.codes.values()),
        "failures": answers.failures,
        "swaps seen": len(took),
        "first answer of the new version after, median ms": round(1e3 * float(np.median(took)), 1),
        "at most, ms": round(1e3 * max(took), 1),
        "slowest answer meanwhile, ms": round(1e3 * max(answers.taken), 1),
    }


def canary(made: Made, folder: Path, _environments: Path) -> dict[str, Any]:
    """Give 5 % of the rows to a version that fails on 5 % of its rows: seconds until it has none.

    Several times, the rows in another order each time: which of them come first decides how soon failures are seen.
    """
    found = {}
    with Workspace.open(made.root, actor="benchmark") as workspace, _deployed(workspace):
        for words, pace in (("16 clients without pause", None), ("300 requests/s", 300.0)):
            runs = []
            with luban(made, folder) as running:
                for order in range(_RUNS):
                    workspace.deployments.set(DEPLOYMENT, {GOOD: 1.0})
                    requests = list(running.requests["records"])
                    random.Random(order).shuffle(requests)
                    runs.append(_rolled_back(workspace, running.url, requests, pace))
            seconds = [one["seconds until it has no share"] for one in runs]
            ended = [one for one in seconds if one is not None]
            found[words] = {
                "median": float(np.median(ended)) if ended else None,
                "least": min(ended, default=None),
                "most": max(ended, default=None),
                "runs": runs,
            }
    return found


def _rolled_back(workspace: Workspace, url: str, requests: list[bytes], pace: float | None) -> dict[str, Any]:
    done = threading.Event()
    began: list[float] = []
    ended: list[float] = []

    def roll() -> None:
        time.sleep(1.0)
        workspace.deployments.set(DEPLOYMENT, {GOOD: 1 - _CANARY, FAILING: _CANARY}, reason="benchmark")
        began.append(time.perf_counter())
        while time.perf_counter() < began[0] + 60:
            if not workspace.deployments.get(DEPLOYMENT).canaries:
                ended.append(time.perf_counter())
                break
            time.sleep(0.02)
        time.sleep(0.3)  # what is in flight
        done.set()

    watcher = threading.Thread(target=roll)
    watcher.start()
    answers = ask(url, requests, CLIENTS, seconds=65, warm=0.0, pace=pace, seen=lambda *_: done.is_set())
    watcher.join()
    return {
        "seconds until it has no share": round(ended[0] - began[0], 2) if ended else None,
        "requests that failed": answers.failures,
        "of": sum(answers.codes.values()),
    }


def shadow(made: Made, folder: Path, _environments: Path) -> dict[str, Any]:
    """Ask in turns with and without a shadow: the medians, and their difference."""
    found: dict[str, list[float]] = {"without": [], "with": []}
    outcomes: Counter[int] = Counter()
    with (
        Workspace.open(made.root, actor="benchmark") as workspace,
        _deployed(workspace),
        luban(made, folder) as running,
    ):
        for turn in range(2 * _TURNS):
            which = "with" if turn % 2 else "without"
            workspace.deployments.set(DEPLOYMENT, {GOOD: 1.0}, shadow=OTHER if turn % 2 else None)
            answers = ask(running.url, running.requests["records"], 1, seconds=_TURN, warm=0.7)
            found[which] += answers.taken
            outcomes += answers.codes
    p50 = {which: 1e3 * float(np.median(taken)) for which, taken in found.items()}
    return {
        **{f"p50 {which} a shadow, ms": round(value, 4) for which, value in p50.items()},
        "added, ms": round(p50["with"] - p50["without"], 4),
        "p99 with a shadow, ms": round(1e3 * float(np.percentile(found["with"], 99)), 3),
        "p99 without, ms": round(1e3 * float(np.percentile(found["without"], 99)), 3),
        "failures": sum(count for code, count in outcomes.items() if code != 200),
    }


@contextmanager
def _deployed(workspace: Workspace) -> Iterator[None]:
    """Leave the deployment as it was."""
    try:
        yield
    finally:
        workspace.deployments.set(DEPLOYMENT, {GOOD: 1.0})
