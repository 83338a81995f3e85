"""What Prometheus reads about what is served now, the prediction log and the shadows; asked for when it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from luban.serving.models import Models

_WORDS = {
    "log": ("luban_prediction_log_rows", "Rows of the prediction log: stored, dropped, or without consent."),
    "shadow": ("luban_shadow_rows", "Rows that a shadow answered, failed to answer, or that were dropped."),
}


class ServedFigures(Collector):
    """The models that are served, with their shares, and the counts of `Models.figures`."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        info = GaugeMetricFamily(
            "luban_model_info", "Models that are served.", labels=["model", "version", "task", "engine"]
        )
        share = GaugeMetricFamily(
            "luban_arm_share", "Share of a name's rows that a version answers.", labels=["model", "version", "arm"]
        )
        told = set()
        for arms in self._models.served():
            for arm, part in zip(arms.answering, arms.shares, strict=True):
                runtime = arm.runtime
                key = (runtime.name, str(runtime.version))
                if key not in told:
                    told.add(key)
                    info.add_metric([*key, runtime.task.kind, runtime.engine], 1)
                    share.add_metric([*key, arm.name], part)
        yield from (info, share)
        counts = {} if self._models.figures is None else self._models.figures()
        for kind, (name, words) in _WORDS.items():
            family = CounterMetricFamily(name, words, labels=["deployment", "outcome"])
            for (deployment, outcome), rows in sorted(counts.get(kind, {}).items()):
                family.add_metric([deployment, outcome], rows)
            yield family
