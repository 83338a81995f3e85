"""What Prometheus reads about the last window that was monitored of each deployment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from luban.core.errors import LubanError
from luban.core.report import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from prometheus_client.core import Metric

    from luban.core.report import Report
    from luban.store import Workspace

CHECK = "monitoring"
"""Name of the check under which windows are kept."""

_AGE = 5.0  # seconds for which what was read is told again
_COLUMNS = 200  # of a deployment, those that moved most


class Windows:
    """The last monitored window of each deployment, read from the workspace when it is asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read = -_AGE
        self._found: dict[str, tuple[datetime, Report]] = {}

    def __call__(self) -> Mapping[str, tuple[datetime, Report]]:
        """Return (moment, report) by deployment; what was read last while the database does not answer."""
        if time.monotonic() - self._read >= _AGE:
            self._read = time.monotonic()
            try:
                self._found = {
                    one.name: last for one in self._workspace.deployments.list() if (last := self._last(one.name))
                }
            except LubanError:  # metrics must not fail with the database; the age of the window tells
                return self._found
        return self._found

    def _last(self, name: str) -> tuple[datetime, Report] | None:
        entry = next(iter(self._workspace.reports.list(subject=name, check=CHECK, limit=1)), None)
        return None if entry is None else (entry.created, self._workspace.reports.get(entry.digest))


class WindowFigures(Collector):
    """The figures of the last windows; `windows` gives them, or None where there is no workspace."""

    def __init__(self, windows: Callable[[], Callable[[], Mapping[str, tuple[datetime, Report]]] | None]) -> None:
        self._windows = windows

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        families = {name: GaugeMetricFamily(name, words, labels=labels) for name, words, labels in _FAMILIES}
        windows = self._windows()
        for name, (moment, report) in sorted(({} if windows is None else windows()).items()):
            for family, labels, value in _told(name, moment, report):
                if isinstance(value, int | float):
                    families[family].add_metric(labels, float(value))
        yield from families.values()


_FAMILIES = (
    ("luban_monitored_timestamp_seconds", "When the last window was monitored.", ["deployment"]),
    ("luban_monitored_rows", "Rows of the last window.", ["deployment"]),
    ("luban_monitored_labelled_rows", "Rows of the last window with a label.", ["deployment"]),
    ("luban_monitored_verdict", "Verdict of the last window: 0 well, 1 warning, 2 blocking.", ["deployment"]),
    ("luban_drift_share", "Share of the input columns that have moved.", ["deployment"]),
    ("luban_drift_effect", "How far an input column has moved, 0 to 1.", ["deployment", "column"]),
    ("luban_missing_share", "Share of missing values of an input column.", ["deployment", "column"]),
    ("luban_prediction_drift_effect", "How far the predictions have moved, 0 to 1.", ["deployment"]),
    ("luban_estimated_score", "Quality estimated without labels.", ["deployment", "metric"]),
    ("luban_score", "Quality by labels.", ["deployment", "metric"]),
)


def _told(name: str, moment: datetime, report: Report) -> Iterator[tuple[str, list[str], Any]]:
    figures = report.figures
    yield "luban_monitored_timestamp_seconds", [name], moment.timestamp()
    yield "luban_monitored_rows", [name], figures.get("rows")
    yield "luban_monitored_labelled_rows", [name], figures.get("labelled", 0)
    yield "luban_monitored_verdict", [name], max(0, SEVERITY.index(report.verdict) - 1)
    yield "luban_drift_share", [name], figures.get("drift", {}).get("share")
    yield "luban_prediction_drift_effect", [name], figures.get("prediction_drift")
    columns = sorted(figures.get("columns", {}).items(), key=lambda pair: -(pair[1].get("effect") or 0.0))
    for column, found in columns[:_COLUMNS]:
        yield "luban_drift_effect", [name, column], found.get("effect")
        yield "luban_missing_share", [name, column], found.get("missing")
    for metric, found in figures.get("estimated", {}).items():
        yield "luban_estimated_score", [name, metric], found.get("value")
    for metric, value in figures.get("quality", {}).get("metrics", {}).items():
        yield "luban_score", [name, metric], value
