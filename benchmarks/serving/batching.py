"""What waiting for others adds: a model with a high cost a call, asked with and without a delay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.serving.client import ask
from benchmarks.serving.model import HEAVY
from benchmarks.serving.systems import luban

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.serving.model import Made

DELAY = 5
"""Milliseconds."""

SECONDS = 2.0


def batching(made: Made, folder: Path, _environments: Path) -> dict[str, Any]:
    """Return p50 and p99 by clients, for delays of 0 and `DELAY`, and what the delay added to each."""
    found: dict[str, Any] = {}
    for delay in (0, DELAY):
        with luban(made, folder, "--batch-delay", str(delay), names=(HEAVY,)) as running:
            name = HEAVY.partition("/")[0]
            requests = [
                one.replace(f"/models/{HEAVY}/".encode(), f"/models/{name}/".encode())
                for one in running.requests["records"]
            ]
            for clients in (1, 4, 16):
                answers = ask(running.url, requests, clients, seconds=SECONDS)
                if answers.failures:
                    raise RuntimeError(f"batching: {dict(answers.codes)}")
                found[f"{clients} clients, delay {delay} ms"] = answers.figures()
    for clients in (1, 4, 16):
        before, after = (found[f"{clients} clients, delay {delay} ms"] for delay in (0, DELAY))
        found[f"{clients} clients: added by a delay of {DELAY} ms"] = {
            name: round(after[name] - before[name], 3) for name in ("p50_ms", "p99_ms")
        }
    return found
