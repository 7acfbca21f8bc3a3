import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from perptape import loopback_http
from perptape.metrics_page import CONTENT_TYPE, metrics_page
from perptape.ports import free_ports


def child(role: str, port: int | None, worker: str = "") -> Any:
    """What the page reads of a Child."""
    log = SimpleNamespace(dropped=2)
    return SimpleNamespace(role=role, worker=worker, metrics_port=port, pid=1, restarts=4, log=log)


async def served(quotes: int) -> tuple[asyncio.Server, int]:
    registry = CollectorRegistry()
    Counter("quotes", "Quotes", ["venue"], registry=registry).labels("dydx").inc(quotes)
    Histogram("lag_seconds", "Lag", buckets=(1,), registry=registry).observe(0.5)

    async def page() -> bytes:
        return generate_latest(registry)

    [port] = free_ports(1)
    return await loopback_http.serve_page("127.0.0.1", port, CONTENT_TYPE, page), port


async def test_every_sample_has_its_role() -> None:
    feed, feed_port = await served(3)
    gateway, gateway_port = await served(5)
    children = [
        child("feed", feed_port),
        child("gateway", gateway_port, "2"),
        child("redis", None),
        child("sandbox", free_ports(1)[0]),  # does not answer
    ]
    text = (await metrics_page(children)).decode()
    for server in (feed, gateway):
        server.close()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert text.count("# TYPE quotes_total counter") == 1
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    dydx = ("venue", "dydx")
    assert samples["quotes_total", (("role", "feed"), dydx)] == 3
    assert samples["quotes_total", (("role", "gateway"), dydx, ("worker", "2"))] == 5
    assert samples["lag_seconds_count", (("role", "feed"),)] == 1
    own = (("role", "redis"), ("worker", ""))
    assert samples["perptape_role_up", own] == 1
    assert samples["perptape_role_restarts_total", own] == 4
    assert samples["perptape_log_lines_dropped_total", own] == 2


async def test_get_takes_any_garbage_for_no_answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello\r\n\r\n")
        writer.close()

    [port] = free_ports(1)
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        with pytest.raises(ValueError, match="invalid literal"):
            await loopback_http.get("127.0.0.1", port, "/", 1.0)
    with pytest.raises(OSError, match="Connect call failed"):
        await loopback_http.get("127.0.0.1", port, "/", 1.0)


async def test_get_does_not_wait_for_ever() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    [port] = free_ports(1)
    async with await asyncio.start_server(silent, "127.0.0.1", port):
        with pytest.raises(TimeoutError):
            await loopback_http.get("127.0.0.1", port, "/", 0.05)
