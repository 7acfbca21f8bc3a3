"""The load kit against a real gateway: what it counts is what was sent, and the page is written."""

import asyncio
import dataclasses
import os
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.realtime.engine import Limits
from benchmarks.load import instance, report
from benchmarks.load.client import LoadError, LoadPlan, LoadResult, Moment, run
from benchmarks.load.instance import Instance, Watcher
from benchmarks.load.outcome import Run
from runtime.channels import price_room, trades_room
from tests.integration.gateway_kit import GENEROUS, Client, Rig, running_gateway

BTC, ETH = price_room("BTC-USD"), price_room("ETH-USD")
SOCKETS = 50
PLAN = LoadPlan(
    url="",
    sockets=SOCKETS,
    rooms=(BTC, ETH),
    rooms_per_socket=2,
    seconds=0.5,
    sample_every=1,
)


WhenReady = Callable[[], Coroutine[Any, Any, None]]


async def load(rig: Rig, plan: LoadPlan, when_ready: WhenReady) -> LoadResult:
    """Runs the plan against the gateway. ``when_ready`` ends before the hold begins."""
    loop = asyncio.get_running_loop()

    def watch(moment: Moment, at_s: float) -> None:
        del at_s
        if moment == "ready":
            asyncio.run_coroutine_threadsafe(when_ready(), loop).result()

    return await asyncio.to_thread(run, dataclasses.replace(plan, url=rig.url), watch)


async def nothing() -> None:
    pass


@pytest.mark.parametrize("processes", [1, 2])
async def test_every_update_is_counted_once_for_each_socket(
    embedded_redis_url: str, processes: int
) -> None:
    # A price room also tells when a feed on a busy machine is late.
    rooms = {trades_room(market): market for market in ("BTC-USD", "ETH-USD")}
    async with running_gateway(embedded_redis_url) as rig, Client(rig.url, ["websocket"]) as own:
        await own.subscribe(*rooms)
        final = {}

        async def publish() -> None:
            # One after the other: a gateway that falls behind sends them together.
            for step in range(20):
                for room, market in rooms.items():
                    await rig.feed.trades(step, market=market)
                    final[room] = (await own.next("trades"))["seq"]

        plan = dataclasses.replace(
            PLAN, rooms=tuple(rooms), rooms_per_socket=1, processes=processes
        )
        result = await load(rig, plan, publish)

        counts = result.counts
        assert counts.deliveries == len(result.samples.at_s) == 20 * SOCKETS
        assert counts.connects == result.ready == len(result.connect_ms) == SOCKETS
        assert not any(counts.violations.values())
        assert not counts.lost + counts.refused + counts.rooms_refused
        # All were told the same.
        assert result.newest == {room: (seq, seq) for room, seq in final.items()}
        assert (result.samples.published_us >= 0).all()
        assert (result.samples.received_us >= result.samples.published_us).all()
        assert result.timeline.up[-1] == SOCKETS
        assert result.timeline.deliveries[-1] == counts.deliveries


async def test_slow_readers_a_storm_and_the_page(embedded_redis_url: str, tmp_path: Path) -> None:
    plan = dataclasses.replace(
        PLAN, seconds=5.0, slow_percent=10, slow_at_s=0.5, slow_for_s=1.0, storm_at_s=2.5
    )
    async with running_gateway(embedded_redis_url) as rig:
        publishing: list[asyncio.Task[None]] = []
        enough = asyncio.Event()

        async def publish() -> None:
            step = 0
            while not enough.is_set():
                step += 1
                await rig.feed.price(f"9{step:05d}", "999999")
                await rig.feed.price(f"3{step:05d}", "399999", "ETH-USD")
                await asyncio.sleep(0.002)

        async def begin() -> None:
            publishing.append(asyncio.create_task(publish()))

        watcher = Watcher({"gateway": [os.getpid()]})
        watcher.sample(0.0)
        result = await load(rig, plan, begin)
        watcher.sample(result.end_s)
        enough.set()
        await publishing[0]

        counts = result.counts
        assert counts.cut == SOCKETS
        assert counts.connects == 2 * SOCKETS
        assert len(result.recovery_ms) == SOCKETS
        assert result.storm_s is not None
        assert len(result.caught_up_ms) == SOCKETS // 10
        assert not any(counts.violations.values())
        assert not counts.lost + counts.refused
        assert result.timeline.up[-1] == SOCKETS
        assert [phase.name for phase in result.phases()] == [
            "steady", "slow readers", "read again", "storm",
        ]  # fmt: skip

        served = Instance(rig.url, {"gateway": [os.getpid()]})
        path = tmp_path / "load-report.html"
        report.write(Run(served, result, watcher, [], k6_missing="no k6 <here>"), path)
    page = path.read_text("utf-8")
    assert "50 sockets &times; 2 rooms" in page
    assert page.count("<svg") == page.count("</svg>") == 8
    assert "cut in the storm" in page
    assert "no k6 &lt;here&gt;" in page
    assert not re.search(r"\bnan\b", page)
    assert list(tmp_path.iterdir()) == [path]


async def test_who_is_refused_is_counted_with_the_reason(embedded_redis_url: str) -> None:
    few = Limits(max_sessions=30, quotas=GENEROUS)
    async with running_gateway(embedded_redis_url, limits=few) as rig:
        plan = dataclasses.replace(PLAN, reconnect_s=None, ready_within_s=1.0)
        result = await load(rig, plan, nothing)
        assert result.ready == 30
        assert result.counts.refused == {
            'HTTP 503 Unavailable {"code":3,"message":"Too many sessions"}': SOCKETS - 30
        }
        unknown = dataclasses.replace(PLAN, rooms=("price:NONE-USD",), rooms_per_socket=1)
        result = await load(rig, dataclasses.replace(unknown, sockets=10), nothing)
        assert result.counts.rooms_refused == {"UNKNOWN_MARKET": 10}


async def test_a_server_that_is_not_there_is_counted_too(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url) as rig:
        url = rig.url
        assert await asyncio.to_thread(instance.price_rooms, url) == [BTC, ETH]
    plan = dataclasses.replace(PLAN, url=url, sockets=10, reconnect_s=None, ready_within_s=0.5)
    result = await asyncio.to_thread(run, plan)
    assert result.ready == 0
    assert result.counts.refused == {"ECONNREFUSED": 10}


def test_it_says_when_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="make run"):
        instance.find(None, tmp_path)
    content = {"http_url": "http://127.0.0.1:9", "pids": {"gateway": [1]}}
    (tmp_path / "runtime.json").write_bytes(orjson.dumps(content))
    with pytest.raises(LoadError, match=r"nothing answers at http://127\.0\.0\.1:9"):
        instance.find(None, tmp_path)
