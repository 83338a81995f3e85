"""One row a request: how long it takes, how many a second, and what the idle server weighs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.serving.client import ask
from benchmarks.serving.processes import memory, processor
from benchmarks.serving.systems import PEERS, luban, peer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.serving.model import Made
    from benchmarks.serving.systems import Running

SECONDS = 3.0
_SETTLE = 1.5  # seconds of rest before memory is read


def rows(made: Made, folder: Path, environments: Path) -> dict[str, Any]:
    """Return figures of Luban by each of three protocols, and of each peer by its own."""
    found = {}
    with luban(made, folder) as running:
        found |= {f"luban, {protocol}": one for protocol, one in _measured(running).items()}
    for name in PEERS:
        with peer(name, made, folder, environments) as running:
            found[name] = _measured(running)["own"]
    return found


def _measured(running: Running) -> dict[str, Any]:
    idle = memory(running.process)
    found: dict[str, Any] = {}
    for protocol, requests in running.requests.items():
        figures = {}
        for clients in (1, 16):
            before = processor(running.process)
            answers = ask(running.url, requests, clients, seconds=SECONDS)
            taken = 1e3 * (processor(running.process) - before) / sum(answers.codes.values())
            if answers.failures:
                raise RuntimeError(f"{protocol}: {dict(answers.codes)}")
            measured = answers.figures() | {"processor_ms_a_request": round(taken, 3)}
            figures |= {f"{clients} clients: {name}": value for name, value in measured.items()}
        found[protocol] = figures
    time.sleep(_SETTLE)
    after = memory(running.process)
    for figures in found.values():
        figures["idle"], figures["idle after it was asked"] = idle, after
    return found
