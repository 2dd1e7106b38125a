"""Series on ``/metrics``: all of them are replaced at once, so that nothing lingers that no longer is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.domain.gauges.everything import FAMILIES
from monitor.domain.gauges.family import Family, Series


class Board(Collector):
    """Shows the newest series; register it with a registry."""

    def __init__(self) -> None:
        self._series: dict[Family, list[Series]] = {}

    def show(self, series: Iterable[Series]) -> None:
        """Show these and no others."""
        found: dict[Family, list[Series]] = {}
        for one in series:
            found.setdefault(one.family, []).append(one)
        self._series = found

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, also one that has no series now."""
        for family in FAMILIES:
            metric = _metric(family)
            for one in self._series.get(family, ()):
                metric.add_metric(one.labels, one.value)
            yield metric


def _metric(family: Family) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    return kind(family.name, family.help, labels=family.labels)
