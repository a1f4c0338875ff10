"""Metric families of monitors and shippers that have Kafka between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Values = Callable[[], Mapping[str, float]]

# short name: (family, kind, help)
FAMILIES: Mapping[str, tuple[str, str, str]] = {
    "lag_exchanges": ("tailgate_kafka_lag_exchanges", "gauge", "Exchanges that wait in the partitions read here."),
    "lag_scores": ("tailgate_kafka_lag_scores", "gauge", "Scores that wait to become evidence here."),
    "partitions": ("tailgate_kafka_partitions_assigned", "gauge", "Partitions of exchanges read here."),
    "scored": ("tailgate_kafka_scored", "counter", "Pairs scored here and published."),
    "idle": ("tailgate_kafka_idle_seconds", "counter", "Time spent waiting for exchanges to come."),
    "events_sent": ("tailgate_evaluation_events_sent", "counter", "Scores told as OpenTelemetry events."),
    "events_dropped": ("tailgate_evaluation_events_dropped", "counter", "Events that the receiver did not take at once."),
    "dead_letters": ("tailgate_kafka_dead_letters", "counter", "Records that nobody can use, put aside with the reason."),
    "repeats": ("tailgate_kafka_repeats", "counter", "Records of the log that were settled before."),
    "shipped": ("tailgate_shipper_shipped", "counter", "Records acknowledged by the brokers."),
    "resent": ("tailgate_shipper_resent", "counter", "Records that were lost on the way and sent again."),
    "settled": ("tailgate_shipper_settled", "counter", "Records that a monitor has committed."),
    "unreachable": ("tailgate_shipper_unreachable", "counter", "Rounds in which no broker acknowledged."),
    "flying": ("tailgate_shipper_unsettled", "gauge", "Records sent and not yet committed by a monitor."),
}  # fmt: skip


class ReplicaMetrics:
    """Renders what `values` returns by the short names above; a prometheus_client collector."""

    def __init__(self, route: str, values: Values) -> None:
        self._route, self._values = route, values

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for name, value in self._values().items():
            family, kind, words = FAMILIES[name]
            made = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
                family, words, labels=["route"]
            )
            made.add_metric([self._route], value)
            yield made


def registry_of(route: str, values: Values) -> CollectorRegistry:
    """A page of these alone."""
    registry = CollectorRegistry()
    registry.register(ReplicaMetrics(route, values))
    return registry
