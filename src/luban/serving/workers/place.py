"""A worker's place among the processes that answer on one port, as its environment says it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENVIRONMENT = "LUBAN_WORKER"

_telling = threading.Lock()  # lines of several threads must not mix


class News:
    """What the parent has said and nobody has taken yet, by topic."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: defaultdict[str, list[Any]] = defaultdict(list)

    def put(self, topic: str, said: Any) -> None:
        """Keep what was said until it is taken."""
        with self._lock:
            self._said[topic].append(said)

    def take(self, topic: str) -> list[Any]:
        """Return all that was said on a topic since it was taken last."""
        with self._lock:
            return self._said.pop(topic, [])


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
    news : News
        What the parent says.
    """

    number: int
    listener: socket.socket
    folder: Path
    news: News


def place() -> Place | None:
    """Return this process' place, or None where it is no worker. From then on it stops when its parent is gone."""
    said = os.environ.pop(ENVIRONMENT, None)
    if said is None:
        return None
    told, news = json.loads(said), News()
    threading.Thread(target=_follow_parent, args=(news,), name="luban-parent", daemon=True).start()
    listener = socket.socket(fileno=told["socket"])
    return Place(number=told["number"], listener=listener, folder=Path(told["folder"]), news=news)


def tell(**news: object) -> None:
    """Tell the parent."""
    with _telling:
        try:
            sys.stdout.write(json.dumps(news) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # it is gone, and this process about to stop: there is nobody to tell
            return


def _follow_parent(news: News) -> None:
    """Take what it says; stop gracefully when its end of standard input is closed, however it ended."""
    with open(0, "rb", closefd=False) as parent:
        for line in parent:
            if not line.endswith(b"\n"):  # it ended in the middle of a line
                break
            for topic, said in json.loads(line).items():
                news.put(topic, said)
    os.kill(os.getpid(), signal.SIGTERM)
