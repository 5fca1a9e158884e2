"""The latest readings of the stores, kept for a few seconds, however often they are asked for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from api.metrics import catalogue
from api.metrics.catalogue import Metric

CACHE_SECONDS = 10.0
"""How long readings are reported again before the stores are asked; Prometheus asks every 15 to 60 s."""

Values = Mapping[tuple[str, ...], float]
"""A metric's values by its labels."""


class Readings(Collector):
    """The latest readings, as a collector of prometheus_client."""

    def __init__(self) -> None:
        self._values: Mapping[Metric, Values] = {}
        self._until = float("-inf")
        self._lock = asyncio.Lock()

    async def refresh(self, read: Callable[[], Awaitable[Mapping[Metric, Values]]]) -> None:
        """Reads anew, unless the last readings are recent. Those who ask at the same time wait for one."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._values = await read()
                self._until = time.monotonic() + CACHE_SECONDS

    def collect(self) -> Iterator[Family]:
        """The readings; a metric whose store did not answer is absent."""
        for metric, values in self._values.items():
            family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family

    def describe(self) -> Iterator[Family]:
        """The families without values, so that registering this collector reads nothing."""
        for metric in catalogue.READ:
            yield GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
