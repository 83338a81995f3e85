"""Rates that count in all workers: each takes from buckets of its own, and pays for what the others have taken.

A worker learns of it a moment later, and its bucket may then hold less than nothing. So over any time the workers of
a server let through what one process would, and at most one full bucket more for each further worker.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from luban.serving.workers.place import tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.serving.access.buckets import Buckets
    from luban.serving.workers.place import Place

INTERVAL = 0.05
"""Seconds between two exchanges."""


@contextmanager
def shared_rates(buckets: Mapping[str, Buckets], place: Place | None) -> Iterator[None]:
    """Share buckets, by their kind, with the other workers while the context is open; alone there is nothing to do."""
    if place is None:
        yield
        return
    for one in buckets.values():
        one.share()
    closing = threading.Event()

    def exchange() -> None:
        while not closing.wait(INTERVAL):
            taken = {kind: found for kind, one in buckets.items() if (found := one.taken())}
            if taken:
                tell(taken=taken)
            for said in place.news.take("taken"):
                for kind, spent in said.items():
                    buckets[kind].pay(spent)

    thread = threading.Thread(target=exchange, name="luban-rates", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join(timeout=5)
