"""The connector at the replica over real sockets: depth, prices of sizes and costs of holding are
what the chains say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from connectors.base import markets as market_map
from connectors.base.driver import SourceDriver
from connectors.gains.connector import ChainUrls, GainsConnector
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.pricing import ECONOMICS
from domain.costs import PricedPool
from domain.events import Event, Funding, PoolQuote
from domain.ids import MarketId, SourceId
from domain.market import Market
from runtime.clock import mono_ns, wall_us
from tests.integration.raw_gains import BTC, Running
from tests.servers import LOOPBACK

BTC_USD = MarketId("BTC-USD")
USDC = "42161:USDC"


@dataclass
class Fed:
    """A connector with all its sources running, and what they said last of each pool."""

    running: Running
    connector: GainsConnector
    markets: Sequence[Market]
    touches: dict[tuple[str, str], PoolQuote] = field(default_factory=dict)
    costs: dict[tuple[str, str], Funding] = field(default_factory=dict)

    def take(self, source: SourceId, events: Sequence[Event], wall: int, mono: int) -> None:
        for event in events:
            if isinstance(event, PoolQuote):
                self.touches[event.market, event.pool] = event
            elif isinstance(event, Funding):
                self.costs[event.market, event.pool or ""] = event

    def depth(self) -> dict[tuple[str, str], Pool]:
        return {
            (market.market, item.pool or ""): item.inputs
            for market in self.markets
            for item in self.connector.depth(market, None, mono_ns())
        }

    def shown(self) -> set[tuple[str, str]]:
        return {key for key, touch in self.touches.items() if touch.bid_e18 is not None}

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def feeding() -> AsyncIterator[Fed]:
    """On the clock of this machine, because windows of volume go by it."""
    running = Running(wall_us())
    await running.wait_ready()
    host = f"127.0.0.1:{running.port}"
    chains = {
        chain_id: ChainUrls(f"http://{host}/backend/{chain_id}", f"ws://{host}/backend/{chain_id}")
        for chain_id in running.replica.chains
    }
    connector = GainsConnector(
        f"ws://{host}/v4", f"http://{host}/pricing", chains, LOOPBACK, market_map.load()
    )
    fed = Fed(running, connector, await connector.load_markets())
    tasks = [
        asyncio.create_task(SourceDriver(source, fed.take).run())
        for source in connector.sources(fed.markets)
    ]
    try:
        yield fed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await connector.close()
        await running.close()


def average(volume: float, depth: float, bands: Sequence[int], offsets: Sequence[int]) -> float:
    """Mean offset in percent of a volume that walks the bands."""
    left, sum_, low, share = volume, 0.0, 0.0, 0
    for band, ppm in zip(bands, offsets, strict=True):
        size = depth * (band - share) / 10_000
        used = min(left, size)
        sum_ += used * (low + (ppm / 10_000 - low) * used / size / 2)
        left, low, share = left - used, ppm / 10_000, band
    return sum_ / volume if volume else 0.0


def words(slot1: str, slot2: str) -> list[int]:
    first, second = int(slot1), int(slot2)
    return [first >> shift & 0xFFFF for shift in range(32, 256, 16)] + [
        second >> shift & 0xFFFF for shift in range(0, 256, 16)
    ]


def fill(raw: Mapping[str, Any], collateral: int, mark: float, usd: float) -> float:
    """A long of BTC as ``/trading-variables`` has it, by the venue's description."""
    sides = raw["pairInfos"]["pairDepthBands"][BTC]
    mapping = raw["depthBandsMapping"]
    offsets = words(mapping["slot1"], mapping["slot2"])
    bands = words(sides["aboveSlot1"], sides["aboveSlot2"])
    depth = int(sides["aboveSlot1"]) & 0xFFFFFFFF
    settings = raw["oiWindowsSettings"]
    last = (wall_us() // 1_000_000 - settings["startTs"]) // settings["windowsDuration"]
    before = sum(
        int(window["oiLongUsd"]) / 1e18
        for key, window in raw["oiWindows"][BTC].items()
        if last - settings["windowsCount"] < int(key) <= last
    )
    standing = average(before, depth, bands, offsets)
    percent = int(raw["pairs"][BTC]["spreadP"]) / 1e10 / 2
    percent += standing + (average(before + usd, depth, bands, offsets) - standing) / 2
    of = raw["collaterals"][collateral - 1]
    tokens = usd / of["prices"]["collateralPriceUsd"] / (mark * (1 + percent / 100))
    oi, skew_depth = of["pairOis"][BTC]["token"], int(of["pairSkewDepths"][BTC])
    net = int(oi["oiLongToken"]) - int(oi["oiShortToken"])
    percent += (net + tokens * 1e18 / 2) / skew_depth / 2
    return mark * (1 + percent / 100)


async def test_sizes_and_holding_are_priced_wherever_there_is_a_touch() -> None:
    async with feeding() as fed:
        await fed.until(lambda: len(fed.depth()) > 700 and set(fed.depth()) == fed.shown())
        found = fed.depth()
        assert {pool for _, pool in found} >= {USDC, "42161:WETH", "137:DAI", "8453:USDC"}
        # A size that is no bigger than a pool takes has a price there, in one pass over all.
        table = ECONOMICS.ladder(list(found.values()), np.array([1e3, 1e6]))
        assert np.isfinite(table.price[:, :, 0]).mean() > 0.9
        assert np.isfinite(table.price[:, :, 1]).any()
        assert (table.price[0, :, 0] >= table.price[1, :, 0])[
            np.isfinite(table.price[0, :, 0])
        ].all()

        async def agrees() -> bool:
            """Whether the chain stood still while it was asked."""
            raw = await fed.running.variables()
            pool = fed.depth()[BTC_USD, USDC]
            after = await fed.running.variables()
            names = ("oiWindows", "collaterals")
            if any(raw[name] != after[name] for name in names):
                return False
            cost = ECONOMICS.price(USDC, pool, "BUY", Decimal(100_000))
            assert isinstance(cost, PricedPool)
            expected = fill(raw, 3, pool.mark_e10 / 1e10, 100_000)
            return float(cost.price) == pytest.approx(expected, rel=1e-9)

        async with asyncio.timeout(20):
            while not await agrees():
                await asyncio.sleep(0.05)

        await fed.until(lambda: set(fed.costs) >= fed.shown())
        raw = (await fed.running.variables())["collaterals"][2]
        cost, mark = fed.costs[BTC_USD, USDC], found[BTC_USD, USDC].mark_e10 / 1e10
        oi = raw["pairOis"][BTC]
        for told, side in ((cost.oi_long_usd, "Long"), (cost.oi_short_usd, "Short")):
            tokens = int(oi["token"][f"oi{side}Token"]) / 1e18
            whole = tokens * mark + int(oi["beforeV10"][side.lower()]) / 1e10
            price = raw["prices"]["collateralPriceUsd"]
            assert float(told or "nan") == pytest.approx(whole * price, rel=0.02)
        # Core pairs pay a rate by second, the others one by block.
        assert float(cost.borrow_long_raw or "nan") == pytest.approx(63_420 * 3_600 / 1e12)
        assert any(item.raw != "0" for item in fed.costs.values())
        others = [item for item in fed.costs.values() if item.market == "1INCH-USD"]
        assert all(0 < float(item.borrow_long_raw or "nan") < 1e-4 for item in others)


async def test_trades_of_the_chain_move_what_sizes_cost() -> None:
    async with feeding() as fed:
        await fed.until(lambda: len(fed.depth()) > 700)
        first = fed.depth()

        def moved() -> bool:
            now = fed.depth()
            pairs = [(first[key].state.pair, now[key].state.pair) for key in first if key in now]
            return any(old.net_token_e18 != new.net_token_e18 for old, new in pairs) and any(
                (old.volume_long_usd_e18, old.volume_short_usd_e18)
                != (new.volume_long_usd_e18, new.volume_short_usd_e18)
                for old, new in pairs
            )

        await fed.until(moved)


async def test_a_silent_venue_has_no_depth() -> None:
    async with feeding() as fed:
        await fed.until(lambda: len(fed.depth()) > 700)
        await fed.running.fault("freeze")
        await fed.until(lambda: not fed.depth())
        await fed.running.end_faults()
        await fed.until(lambda: len(fed.depth()) > 700)
