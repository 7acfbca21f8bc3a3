"""One page with the metrics of every process, each sample labelled with its role."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from perptape import loopback_http
from perptape.child import Child

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FETCH_TIMEOUT_S: Final = 0.5
_LABELS: Final = ("role", "worker")


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def metrics_page(children: Sequence[Child]) -> bytes:
    """A child that does not answer in time is left out; ``perptape_role_up`` tells about it."""
    served = [child for child in children if child.metrics_port is not None and child.pid]
    texts = await asyncio.gather(*(_fetch(child.metrics_port) for child in served))
    families = _merge(zip(served, texts, strict=True))
    registry = CollectorRegistry()
    registry.register(_Families([*families, *_own(children)]))
    return generate_latest(registry)


async def _fetch(port: int | None) -> str:
    try:
        status, body = await loopback_http.get("127.0.0.1", port or 0, "/metrics", _FETCH_TIMEOUT_S)
    except (OSError, ValueError):
        return ""
    return body.decode("utf-8", "replace") if status == 200 else ""


def _merge(pages: Iterable[tuple[Child, str]]) -> Iterable[Metric]:
    """Families of the same name become one: the format allows each name only once."""
    merged: dict[tuple[str, str], Metric] = {}
    for child, text in pages:
        added = _labels(child)
        for family in text_string_to_metric_families(text):
            whole = merged.setdefault(
                (family.name, family.type), Metric(family.name, family.documentation, family.type)
            )
            whole.samples += [
                sample._replace(labels=sample.labels | added) for sample in family.samples
            ]
    return merged.values()


def _labels(child: Child) -> dict[str, str]:
    return {"role": child.role} | ({"worker": child.worker} if child.worker else {})


def _own(children: Sequence[Child]) -> Iterator[Metric]:
    up = GaugeMetricFamily("perptape_role_up", "Whether the process runs", labels=_LABELS)
    restarts = CounterMetricFamily(
        "perptape_role_restarts", "Times it was started again after it ended", labels=_LABELS
    )
    dropped = CounterMetricFamily(
        "perptape_log_lines_dropped", "Log lines that could not be written", labels=_LABELS
    )
    for child in children:
        labels = (child.role, child.worker)
        up.add_metric(labels, float(child.pid is not None))
        restarts.add_metric(labels, child.restarts)
        dropped.add_metric(labels, child.log.dropped)
    yield from (up, restarts, dropped)
