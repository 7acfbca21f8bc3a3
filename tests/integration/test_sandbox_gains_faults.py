"""The faults of the gTrade replica, seen over real sockets and ended."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidMessage

from sandbox import outbox, port
from tests.integration.raw_gains import (
    BTC,
    ETH,
    Running,
    is_named,
    pairs_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Running]:
    running = Running()
    await running.wait_ready()
    yield running
    await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(shared: Running) -> AsyncIterator[Running]:
    yield shared
    await shared.end_faults()


@pytest.mark.parametrize("market", [None, "BTC-USD"])
async def test_freeze(sandbox: Running, market: str | None) -> None:
    async with sandbox.client("/v3") as client:
        await client.until(lambda frame: BTC in frame[::2])
        await sandbox.fault("freeze", market)
        with contextlib.suppress(TimeoutError):
            while True:
                await client.next(0.05)
        if market is None:
            with pytest.raises(TimeoutError):
                await client.next(1.3)
        else:
            for _ in range(8):
                assert BTC not in (await client.next())[::2]
        await sandbox.end_faults()
        await client.until(lambda frame: BTC in frame[::2])


async def test_drop(sandbox: Running) -> None:
    async with sandbox.client() as prices, sandbox.client("/backend/137") as events:
        await prices.next()
        await events.next()
        await sandbox.fault("drop")
        for client in (prices, events):
            with pytest.raises(ConnectionClosedError):
                await client.until(lambda _: False)
    with pytest.raises((OSError, InvalidMessage)):
        async with sandbox.client():
            pass
    with pytest.raises(httpx.TransportError):
        await sandbox.get("/pricing/charts")
    await sandbox.end_faults()
    async with sandbox.client() as prices:
        await prices.next()


async def test_half_open(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("half_open")
        with contextlib.suppress(TimeoutError):
            while True:
                await client.next(0.05)
        pong = asyncio.ensure_future(await client.socket.ping())
        with pytest.raises(TimeoutError):
            await connect(f"ws://127.0.0.1:{sandbox.port}/v4", open_timeout=0.2)
        with pytest.raises(TimeoutError):
            await client.next(1.1)
        assert not pong.done()
        await sandbox.end_faults()
        async with asyncio.timeout(2):
            await pong
        await client.until(lambda frame: "m" in frame)


@pytest.mark.parametrize("path", ["/v3", "/v4", "/backend/42161"])
async def test_garble(sandbox: Running, path: str) -> None:
    async with sandbox.client(path) as client:
        await client.next()
        await sandbox.fault("garble")
        unreadable = 0
        while unreadable < 3:
            try:
                json.loads(await client.raw())
            except (ValueError, RecursionError):
                unreadable += 1
        await sandbox.end_faults()
    async with sandbox.client(path) as client:
        if path.startswith("/backend"):
            await client.until(is_named("currentBlock"))
        else:
            await client.until(lambda frame: 0 in dict(pairs_of(frame)))


async def test_garble_of_one_market_spoils_its_price_alone(sandbox: Running) -> None:
    def spoiled(text: str) -> str:
        return text.partition('"m":[')[2].partition('"i"')[0]

    async with sandbox.client() as client:
        await client.next()
        sandbox.prices.set({"BTC-USD": 70_123.0})
        await sandbox.fault("garble", "BTC-USD")
        good = bad = 0
        while not (good and bad):
            with contextlib.suppress(ValueError):
                frame = json.loads(await client.raw())
                for i, price in pairs_of(frame):
                    honest = isinstance(price, float | int) and 69_000 < price < 71_000
                    bad += i == BTC and not honest
                    good += i == ETH and isinstance(price, float | int) and price > 100


async def test_gap(sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_GAP_SHARE", 1.0)
    async with sandbox.client() as client:
        await client.until(lambda frame: "m" in frame)
        await sandbox.fault("gap")
        await client.until(lambda frame: set(frame) == {"t"})
        lost = len(client.frames)
        await client.until(lambda frame: set(frame) == {"t"})
        assert len(client.frames) == lost + 1
        await sandbox.end_faults()
        await client.until(lambda frame: "m" in frame)


async def test_gap_loses_a_part_of_the_price_frames(sandbox: Running) -> None:
    async with sandbox.client() as whole, sandbox.client() as other:
        await whole.next()
        await other.next()
        await sandbox.fault("gap")
        seen = [set(), set()]  # type: list[set[int]]
        for times, client in zip(seen, (whole, other), strict=True):
            for _ in range(40):
                times.add((await client.next())["t"])
        both = min(max(times) for times in seen)
        counted = [sum(time <= both for time in times) for times in seen]
        together = len({time for times in seen for time in times if time <= both})
        assert min(counted) < together


async def test_cross(sandbox: Running) -> None:
    async with sandbox.client("/backend/42161") as client:
        before = (await client.next())["value"]["pairs"]
        await sandbox.fault("cross", "ETH-USD")
        told = (await client.until(is_named("tradingVariables")))["value"]["pairs"]
        assert int(told[ETH]["spreadP"]) < 0
        assert told[BTC] == before[BTC]
        assert (await sandbox.variables())["pairs"][ETH] == told[ETH]
        await sandbox.end_faults()
        told = (await client.until(is_named("tradingVariables")))["value"]["pairs"]
        assert told == before


async def test_spike(sandbox: Running) -> None:
    sandbox.prices.set({"ETH-USD": 3_000.0})
    async with sandbox.client() as client:
        await client.price(ETH, lambda price: 2_900 < price < 3_100)
        await sandbox.fault("spike", "ETH-USD")
        await client.price(ETH, lambda price: 3_550 < price < 3_650)
        charts = await sandbox.get("/pricing/charts")
        assert charts["closes"][ETH] == pytest.approx(3_000, rel=0.01)
        await sandbox.end_faults()
        await client.price(ETH, lambda price: 2_900 < price < 3_100)


async def test_duplicate(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("duplicate")
        twice = 0
        last = await client.raw()
        while twice < 3:
            text = await client.raw()
            twice += text == last
            last = text


async def test_duplicate_of_one_market_repeats_it_in_the_frame(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await sandbox.fault("duplicate", "BTC-USD")
        frame = await client.until(lambda frame: BTC in dict(pairs_of(frame)))
        assert [i for i, _ in pairs_of(frame)].count(BTC) == 2


async def test_delist(sandbox: Running) -> None:
    def largest_oi(variables: Any) -> int:
        return max(int(c["pairOis"][BTC]["beforeV10"]["max"]) for c in variables["collaterals"])

    async with sandbox.client("/backend/8453") as events, sandbox.client() as prices:
        assert largest_oi((await events.next())["value"]) > 0
        await sandbox.fault("delist", "BTC-USD")
        told = await events.until(is_named("tradingVariables"))
        assert largest_oi(told["value"]) == 0
        assert (await sandbox.get("/pricing/charts"))["closes"][BTC] is None
        with contextlib.suppress(TimeoutError):
            while True:
                await prices.next(0.05)
        for _ in range(8):
            assert BTC not in dict(pairs_of(await prices.next()))
        await sandbox.end_faults()
        told = await events.until(is_named("tradingVariables"))
        assert largest_oi(told["value"]) > 0
        await prices.until(lambda frame: BTC in dict(pairs_of(frame)))


async def test_rate_limit(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("rate_limit")
        for path in ("/pricing/charts", "/backend/137/trading-variables"):
            refused = await sandbox.rest.get(path)
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) >= 1
        with pytest.raises(ConnectionClosed) as closed:
            await client.until(lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    with pytest.raises(ConnectionClosed) as closed:
        async with sandbox.client() as client:
            await client.until(lambda _: False)
    await sandbox.end_faults()
    await sandbox.get("/pricing/charts")


async def test_slow(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await client.next()
        await sandbox.fault("slow")
        late_ms = 0
        async with asyncio.timeout(10):
            while late_ms < 1_500:
                frame = await client.next()
                late_ms = sandbox.replica.now_us() // 1000 - frame["t"]
        await sandbox.end_faults()
        await client.until(lambda f: sandbox.replica.now_us() // 1000 - f["t"] < 1_000)
        times = [frame["t"] for frame in client.frames]
        assert times == sorted(times)


async def test_a_client_that_does_not_read_is_dropped(
    sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sandbox.client() as client:
        await client.next()
        monkeypatch.setattr(port, "_MAX_UNSENT_BYTES", 2_000)
        await sandbox.fault("half_open")
        await sandbox.until(lambda: any(each.is_closing for each in sandbox.replica.clients))
        await sandbox.end_faults()
        with pytest.raises(ConnectionClosed) as closed:
            await client.until(lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
