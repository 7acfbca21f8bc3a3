"""Several gateway processes at one port, as ``PERP_GATEWAYS`` starts them."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.integration.followers import Following
from tests.integration.gateway_kit import Feed, eventually
from tests.integration.siblings_kit import Process, beating_feed, gateway_processes
from tests.protocol.test_javascript import POLLING, UPGRADE, WEBSOCKET, free_port

pytestmark = pytest.mark.timeout(240)


@contextlib.asynccontextmanager
async def gateways(
    redis_url: str, folder: Path, count: int
) -> AsyncIterator[tuple[Feed, list[Process], Following]]:
    port = free_port()
    async with (
        beating_feed(redis_url) as feed,
        gateway_processes(redis_url, folder, port, count) as running,
        contextlib.AsyncExitStack() as stack,
    ):
        yield feed, running, Following(f"http://127.0.0.1:{port}", stack)


async def passed_on(running: Sequence[Process], transport: str) -> float:
    return sum([await each.passed_on(transport) for each in running])


async def test_the_javascript_client_at_three_gateways(
    embedded_redis_url: str, tmp_path: Path
) -> None:
    async with gateways(embedded_redis_url, tmp_path, 3) as (feed, running, following):
        by_websocket = await following.add(WEBSOCKET)
        assert not await passed_on(running, "polling")
        by_polling = await following.add(POLLING)
        for step in range(20):
            seq = await feed.price(f"97{step:03d}", "99999")
            await by_polling.hears(seq)
            await by_websocket.hears(seq)
        assert await passed_on(running, "polling") > 0
        # Connections are dealt out by chance: until an upgrade was passed on too.
        while not await passed_on(running, "websocket"):
            follower = await following.add(UPGRADE)
            if "upgrade" not in follower.events:
                await follower.client.next("upgrade")
        seq = await feed.price("98000", "99999")
        for follower in following.all:
            await follower.hears(seq)
            assert follower.losses == 0
        # Each tells of its own sockets, which together are all.
        await eventually(
            lambda: sockets_open(running),
            lambda found: sum(found) == len(following.all),
        )


async def sockets_open(running: Sequence[Process]) -> list[float]:
    pages = [await each.metrics() for each in running]
    return [
        sum(value for name, value in page.items() if name.startswith("perptape_sockets_open{"))
        for page in pages
    ]


async def test_a_killed_gateway_loses_only_its_own_sockets(
    embedded_redis_url: str, tmp_path: Path
) -> None:
    async with gateways(embedded_redis_url, tmp_path, 2) as (feed, running, following):
        killed, other = running
        while {follower.gateway for follower in following.all} != {killed.name, other.name}:
            await following.add(WEBSOCKET)
        kept = [follower for follower in following.all if follower.gateway == other.name]
        lost = [follower for follower in following.all if follower.gateway == killed.name]
        while (polling := await following.add(POLLING)).gateway != killed.name:
            pass
        killed.process.kill()
        seq = await feed.price("98100", "99999")
        for follower in kept:
            await follower.hears(seq)
        for follower in [*lost, polling]:
            reason = (await follower.client.next("disconnect"))["reason"]
            assert reason in ("transport close", "transport error")
            await follower.subscribed()
            assert follower.gateway == other.name
        seq = await feed.price("98200", "99999")
        for follower in [*kept, *lost, polling]:
            await follower.hears(seq)
        assert [follower.losses for follower in kept] == [0] * len(kept)
