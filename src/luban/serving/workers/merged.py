"""Metrics of several workers as one: each writes its own down, and whichever is asked adds up what all have written.

What a worker counted before it died stays in the sum, so that counters never fall.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

INTERVAL = 0.5
"""Seconds between two writes."""

SUMMED = {"luban_requests_in_flight"}
"""Gauges that are added up; of the others the largest counts."""

Family = dict[str, Any]


class Shared:
    """The metrics of this worker, and of all.

    Parameters
    ----------
    registry : prometheus_client.CollectorRegistry
        Of this worker.
    folder : Path
        Common to the workers.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path) -> None:
        self._registry = registry
        self._folder = folder
        self._mine = folder / f"metrics-{os.getpid()}.json"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="luban-metrics", daemon=True)
        self._thread.start()

    def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        parts = [(True, families(self._registry))]
        parts += [
            (_alive(int(path.stem.partition("-")[2])), json.loads(path.read_text()))
            for path in sorted(self._folder.glob("metrics-*.json"))
            if path != self._mine
        ]
        whole = CollectorRegistry()
        whole.register(_Merged(merged(parts)))
        return generate_latest(whole)

    def close(self) -> None:
        """Write once more and stop."""
        self._closing.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(INTERVAL)
            fresh = self._mine.with_suffix(".new")
            try:
                fresh.write_text(json.dumps(families(self._registry)))
                fresh.replace(self._mine)
            except OSError:  # a disk that is full, or the folder has gone with the parent: the next turn tries again
                continue


def families(registry: CollectorRegistry) -> list[Family]:
    """Return all that a registry has, as JSON."""
    return [
        {
            "name": one.name,
            "words": one.documentation,
            "type": one.type,
            "samples": [[sample.name, dict(sample.labels), sample.value] for sample in one.samples],
        }
        for one in registry.collect()
    ]


def merged(parts: Iterable[tuple[bool, list[Family]]]) -> list[Family]:
    """Return the families of several workers as one.

    Parameters
    ----------
    parts : iterable of (bool, list)
        Whether a worker is alive, and its `families`: of the dead only what was counted is taken.
    """
    found: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for alive, part in parts:
        for one in part:
            gauge = one["type"] == "gauge"
            if gauge and not alive:
                continue
            found.setdefault(one["name"], one)
            mine = values.setdefault(one["name"], {})
            for name, labels, value in one["samples"]:
                key = (name, tuple(sorted(labels.items())))
                mine[key] = _together(mine[key], value, name, gauge) if key in mine else value
    return [
        {**one, "samples": [[sample, dict(labels), value] for (sample, labels), value in values[name].items()]}
        for name, one in found.items()
    ]


def _together(one: float, other: float, name: str, gauge: bool) -> float:
    if name.endswith("_created"):
        return min(one, other)
    return max(one, other) if gauge and name not in SUMMED else one + other


class _Merged(Collector):
    def __init__(self, found: list[Family]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        for one in self._found:
            metric = Metric(one["name"], one["words"], one["type"])
            for name, labels, value in one["samples"]:
                metric.add_sample(name, labels, value)
            yield metric


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
