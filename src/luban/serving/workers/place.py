"""A worker's place among the processes that answer on one port, as its environment says it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = "LUBAN_WORKER"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a worker is given.

    Parameters
    ----------
    number : int
        Its number among the workers, from 0.
    listener : socket.socket
        Its socket, which listens already and which outlives it: connections wait for its successor.
    folder : Path
        What workers tell each other lies there; nobody else can read it.
    """

    number: int
    listener: socket.socket
    folder: Path


def place() -> Place | None:
    """Return this process' place, or None where it is no worker. From then on it stops when its parent is gone."""
    said = os.environ.pop(ENVIRONMENT, None)
    if said is None:
        return None
    told = json.loads(said)
    threading.Thread(target=_follow_parent, name="luban-parent", daemon=True).start()
    listener = socket.socket(fileno=told["socket"])
    return Place(number=told["number"], listener=listener, folder=Path(told["folder"]))


def tell(**news: object) -> None:
    """Tell the parent."""
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()


def _follow_parent() -> None:
    """Stop gracefully when the parent's end of standard input is closed, however it ended."""
    while os.read(0, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
