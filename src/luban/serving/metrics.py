"""What Prometheus reads: counts, times and sizes of requests, by model, version, route and status code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from luban.serving.figures import ServedFigures
from luban.serving.windows import WindowFigures
from luban.serving.workers.merged import Shared
from luban.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from luban.serving.models import Models

LABELS = ("model", "version", "route", "code")
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass
class _Children:
    """The counters of one model, version, route and status code; those that were never needed are not there."""

    requests: Counter
    seconds: Histogram
    received: Counter | None = None
    rows: Counter | None = None


class Metrics:
    """The metrics of one server, in a registry of their own.

    Parameters
    ----------
    models : Models
    folder : Path, optional
        Common to the processes of one server, whose metrics are told as one.
    """

    def __init__(self, models: Models, folder: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("luban_requests", "Requests answered.", LABELS, registry=self.registry)
        self._seconds = Histogram(
            "luban_request_seconds",
            "Time from the request's arrival to its answer.",
            LABELS[:3],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Counter("luban_predicted_rows", "Rows predicted.", LABELS[:2], registry=self.registry)
        self._received = Counter(
            "luban_request_body_bytes", "Bytes of request bodies.", LABELS[:3], registry=self.registry
        )
        self.in_flight = Gauge("luban_requests_in_flight", "Requests being answered.", registry=self.registry)
        Gauge("luban_build_info", "The server's version.", ["luban_version"], registry=self.registry).labels(
            __version__
        ).set(1)
        self._children: dict[tuple[str, str, str, int], _Children] = {}
        self.registry.register(ServedFigures(models))
        self.registry.register(WindowFigures(lambda: models.windows))
        self._shared = None if folder is None else Shared(self.registry, folder)

    def answered(
        self, *, model: str, version: str, route: str, code: int, seconds: float, received: int, rows: int
    ) -> None:
        """Count one answered request."""
        key = (model, version, route, code)
        children = self._children.get(key)
        if children is None:  # to find the counters of labels costs more than to count; there are as many as routes
            children = self._children[key] = _Children(
                self._requests.labels(model, version, route, str(code)), self._seconds.labels(model, version, route)
            )
        children.requests.inc()
        children.seconds.observe(seconds)
        if received:
            if children.received is None:
                children.received = self._received.labels(model, version, route)
            children.received.inc(received)
        if rows:
            if children.rows is None:
                children.rows = self._rows.labels(model, version)
            children.rows.inc(rows)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry) if self._shared is None else self._shared.text()

    def close(self) -> None:
        """Leave the counts to the other processes."""
        if self._shared is not None:
            self._shared.close()
