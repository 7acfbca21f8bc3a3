"""The connector against the replica over sockets: pools that can be priced, and funding, as the
replica's own numbers say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest

from connectors.base import markets as market_map
from connectors.base.driver import SourceDriver
from connectors.gmx.addresses import contracts
from connectors.gmx.connector import Chain, GmxConnector
from connectors.gmx.economics.pricing import ECONOMICS
from domain.events import Event, Funding
from domain.ids import SourceId
from domain.market import Market
from runtime.clock import mono_ns
from tests.integration.raw_gmx import Sandbox, until
from tests.servers import LOOPBACK


class Running:
    """A connector with its sources driven. ``funding``: the last told, by pool."""

    def __init__(self, connector: GmxConnector, markets: Sequence[Market]) -> None:
        self.connector = connector
        self.markets = markets
        self.funding: dict[str | None, Funding] = {}

    def take(self, source: SourceId, events: Sequence[Event], wall_us: int, mono_ns: int) -> None:
        self.funding |= {event.pool: event for event in events if isinstance(event, Funding)}

    def depths(self) -> dict[str | None, object]:
        now_ns = mono_ns()
        return {
            depth.pool: depth.inputs
            for market in self.markets
            for depth in self.connector.depth(market, None, now_ns)
        }


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Running]:
    chain = Chain(42161, (), contracts(42161, "v2.2c", {}))
    connector = GmxConnector([url], LOOPBACK, chain, market_map.load(), [url])
    markets = await connector.load_markets()
    found = Running(connector, markets)
    drivers = [SourceDriver(source, found.take) for source in connector.sources(markets)]
    tasks = [asyncio.create_task(driver.run()) for driver in drivers]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)
        await connector.close()


async def test_every_open_pool_is_priced_and_has_funding() -> None:
    sandbox = Sandbox()
    try:

        async def answers() -> bool:
            try:
                return bool(await sandbox.get("/ping"))
            except httpx.ConnectError:
                return False

        await until(answers)
        async with running(f"http://127.0.0.1:{sandbox.port}") as found:
            pools = {pool for market in found.markets for pool in market.pools}
            assert len(pools) > 120

            async def all_known() -> bool:
                told = {pool for pool, event in found.funding.items() if event.available_long_usd}
                return found.depths().keys() == pools == told

            await until(all_known)
            infos = (await sandbox.get("/markets/info"))["markets"]
            depths = found.depths()
    finally:
        await sandbox.close()
    ladder = ECONOMICS.ladder(list(depths.values()), np.array([1e3, 1e4]))
    assert ladder.reason is not None
    # A few sides are full.
    assert (ladder.reason == None).mean() > 0.9  # noqa: E711
    assert not np.isnan(ladder.price[ladder.reason == None]).any()  # noqa: E711
    # The replica moves on between two answers; scales and signs are what is compared.
    for info in infos:
        told = found.funding.get(info["marketToken"])
        if told is None:
            continue
        paid = int(info["fundingRateLong"]) / 1e30
        assert float(told.raw) * 8760 == pytest.approx(paid, rel=0.3, abs=0.02)
        borrowed = int(info["borrowingRateLong"]) / 1e30
        assert float(told.borrow_long_raw or "nan") * 8760 == pytest.approx(borrowed, rel=0.3)
        interest = int(info["openInterestLong"]) / 1e30
        assert float(told.oi_long_usd or "nan") == pytest.approx(interest, rel=0.3)
        room = max(0.0, int(info["availableLiquidityLong"]) / 1e30)
        assert float(told.available_long_usd or "nan") == pytest.approx(
            room, rel=0.3, abs=interest * 0.3
        )
