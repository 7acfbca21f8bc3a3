"""The GMX replica over real sockets: a raw client, the recordings, every fault."""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from runtime.clock import mono_ns, wall_us
from sandbox import port
from sandbox.gmx import server
from tests.integration.raw_gmx import BTC, ETH, SOL, USDC, Sandbox, shape, until, usd

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = Path(__file__).parents[1] / "data" / "gmx"
CAPTURED = Path(__file__).parents[2] / "sandbox" / "data" / "gmx"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()

    async def answers() -> bool:
        try:
            return bool(await sandbox.get("/ping") == {"ok": True})
        except httpx.ConnectError:
            return False

    await until(answers)
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(shared_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    yield shared_sandbox
    shared_sandbox.board.clear()
    await until(shared_sandbox.is_healthy)


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("/prices/tickers", CAPTURED / "tickers.json"),
        ("/tokens", CAPTURED / "tokens.json"),
        ("/markets", CAPTURED / "markets.json"),
        (
            "/signed_prices/latest",
            RECORDED / "signed-prices-latest.one-entry.arbitrum.json",
        ),
        ("/markets/info?marketTokensData=true", RECORDED / "synthetic-markets-info.json"),
    ],
)
async def test_shape_is_the_recorded_one(sandbox: Sandbox, path: str, recording: Path) -> None:
    assert shape(await sandbox.get(path)) == shape(json.loads(recording.read_bytes()))


async def test_static_lists_are_the_recorded_ones(sandbox: Sandbox) -> None:
    for name in ("tokens", "markets"):
        assert await sandbox.get(f"/{name}") == json.loads((CAPTURED / f"{name}.json").read_bytes())


async def test_api_answers(sandbox: Sandbox) -> None:
    recording = RECORDED / "synthetic-gmxapi-v1-markets-tickers.json"
    tickers = await sandbox.get("/v1/markets/tickers")
    assert shape(tickers) == shape(json.loads(recording.read_bytes())["tickers"])
    markets = {m["marketTokenAddress"]: m for m in await sandbox.get("/v1/markets")}
    kept = await sandbox.get("/markets")
    assert [m["marketToken"] for m in kept["markets"]] == list(markets)
    assert sum(m["isSpotOnly"] for m in markets.values()) == 5
    assert len(tickers) == len(markets) - 5
    eth = next(t for t in tickers if t["symbol"] == "ETH/USD [WETH-USDC]")
    assert markets[eth["marketTokenAddress"]]["indexTokenAddress"] == ETH
    price = usd((await sandbox.tickers())[ETH], 18)[0]
    assert int(eth["minPrice"]) / 1e30 == pytest.approx(price, rel=0.01)
    assert eth["capacityLong"]["availableLiquidity"] == eth["availableLiquidityLong"]


async def test_tickers_follow_the_process(sandbox: Sandbox) -> None:
    decimals = {t["address"]: t["decimals"] for t in (await sandbox.get("/tokens"))["tokens"]}
    pools = (await sandbox.get("/markets"))["markets"]
    followed = {
        pool["name"].partition("/")[0] + "-USD": pool["indexToken"]
        for pool in pools
        if pool["name"].partition("/")[0] + "-USD" in sandbox.prices
    }
    assert len(followed) >= 60
    assert (followed["BTC-USD"], followed["ETH-USD"]) == (BTC, ETH)
    assert [pool["indexToken"] for pool in pools].count(BTC) == 3

    async def together() -> bool:
        tickers = await sandbox.tickers()
        return all(
            low * 0.998 < sandbox.prices.price(market) < high * 1.002
            for market, token in followed.items()
            for low, high in [usd(tickers[token], decimals[token])]
        )

    await until(together)
    sandbox.prices.set({market: sandbox.prices.price(market) * 1.1 for market in followed})
    assert not await together()
    await until(together)


async def test_widths_are_the_recorded_ones(sandbox: Sandbox) -> None:
    tickers = await sandbox.tickers()
    widths = {
        token: (int(entry["maxPrice"]) / int(entry["minPrice"]) - 1) * 1e4
        for token, entry in tickers.items()
    }
    assert widths[BTC] == widths[ETH] == widths[USDC] == 0
    assert max(widths.values()) < 23
    assert 3 < statistics.median(widths.values()) < 5
    assert usd(tickers[USDC], 6)[0] == pytest.approx(1, abs=0.01)


async def test_candles_and_day(sandbox: Sandbox) -> None:
    recorded = json.loads((RECORDED / "synthetic-prices-candles.json").read_bytes())
    answer = await sandbox.get("/prices/candles?tokenSymbol=ETH&period=1h&limit=3")
    assert shape(answer) == shape(recorded)
    start_s, open_, high, low, close = answer["candles"][0]
    assert start_s % 3600 == 0
    assert low <= min(open_, close) <= max(open_, close) <= high
    days = await sandbox.get("/prices/24h")
    assert {tuple(day) for day in days} == {("tokenSymbol", "open", "high", "low", "close")}
    (eth,) = [day for day in days if day["tokenSymbol"] == "ETH"]
    assert eth["low"] <= low <= high <= eth["high"]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/prices", 404),
        ("GET", "//[", 404),
        ("POST", "/ping", 404),
        ("GET", "/prices/candles?tokenSymbol=ETH", 400),
        ("GET", "/prices/candles?tokenSymbol=ETH&period=2m", 400),
        ("GET", "/prices/candles?tokenSymbol=NONE&period=1m", 400),
        ("GET", "/prices/candles?tokenSymbol=ETH&period=1m&limit=0", 400),
        ("GET", "/prices/candles?tokenSymbol=ETH&period=1m&limit=10001", 400),
        ("GET", "/prices/candles?tokenSymbol=ETH&period=1m&limit=\u0661", 400),
    ],
)
async def test_refusals(sandbox: Sandbox, method: str, target: str, status: int) -> None:
    answer = await sandbox.rest.request(method, target)
    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]


async def test_what_is_no_http_is_cut(sandbox: Sandbox) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_client_that_does_not_wait_is_dropped(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "_MAX_UNSENT_BYTES", 10_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(b"GET /prices/tickers HTTP/1.1\r\nHost: gmx\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_freeze(sandbox: Sandbox) -> None:
    sandbox.fault("freeze")

    async def stands() -> bool:
        before = await sandbox.get("/prices/tickers")
        seen_us = wall_us()
        while wall_us() < seen_us + 300_000:
            if await sandbox.get("/prices/tickers") != before:
                return False
        return True

    await until(stands)
    assert await sandbox.get("/ping") == {"ok": True}


async def test_freeze_of_a_market(sandbox: Sandbox) -> None:
    sandbox.fault("freeze", "SOL-USD")

    async def behind() -> bool:
        tickers = await sandbox.tickers()
        return bool(
            tickers[ETH]["timestamp"] >= tickers[SOL]["timestamp"] + 2
            and tickers[ETH]["updatedAt"] > tickers[SOL]["updatedAt"] + 1500
        )

    await until(behind)


async def test_drop(sandbox: Sandbox) -> None:
    await sandbox.get("/ping")
    sandbox.fault("drop")

    async def reset() -> bool:
        try:
            await sandbox.get("/ping")
        except httpx.TransportError:
            return True
        return False

    await until(reset)
    with pytest.raises(httpx.TransportError):
        await sandbox.get("/ping")


async def test_half_open(sandbox: Sandbox) -> None:
    sandbox.fault("half_open")

    async def held() -> bool:
        return sandbox.replica.held

    await until(held)
    _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.rest.get("/ping", timeout=0.3)
    waiting = asyncio.create_task(sandbox.get("/ping"))
    await asyncio.sleep(0)
    sandbox.board.clear()
    assert await waiting == {"ok": True}
    writer.close()


async def test_garble(sandbox: Sandbox) -> None:
    tokens = set(await sandbox.tickers())
    sandbox.fault("garble")
    unreadable = misshapen = 0
    async with asyncio.timeout(20):
        while unreadable < 5 or misshapen < 5:
            answer = await sandbox.rest.get("/prices/tickers")
            try:
                entries = json.loads(answer.content)
                listed = {entry["tokenAddress"]: int(entry["minPrice"]) for entry in entries}
            except RecursionError:
                unreadable += 1
            except (TypeError, KeyError, OverflowError):
                misshapen += 1
            except ValueError as error:
                unreadable += isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
                misshapen += not isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
            else:
                misshapen += set(listed) != tokens


async def test_garble_of_a_market(sandbox: Sandbox) -> None:
    async def all_well() -> bool:
        # The answer of the last turn may still be spoiled by an earlier fault.
        prices = [row["minPrice"] for row in (await sandbox.tickers()).values()]
        return all(isinstance(price, str) and price.strip("0").isdigit() for price in prices)

    await until(all_well)
    sandbox.fault("garble", "SOL-USD")
    kinds = set()

    async def many_kinds() -> bool:
        tickers = await sandbox.tickers()
        assert int(tickers[ETH]["minPrice"]) > 0
        kinds.add(repr(tickers[SOL]["minPrice"]))
        return len(kinds) > 10

    await until(many_kinds)


async def test_gap(sandbox: Sandbox) -> None:
    sandbox.fault("gap", "SOL-USD")

    async def only_sol_is_missing() -> bool:
        tickers = await sandbox.tickers()
        return SOL not in tickers and len(tickers) == 124

    await until(only_sol_is_missing)
    signed = await sandbox.get("/signed_prices/latest")
    assert SOL not in {price["tokenAddress"] for price in signed["signedPrices"]}
    assert (await sandbox.pool(SOL))["isListed"]
    sandbox.fault("gap")

    async def many_are_missing() -> bool:
        return 60 < len(await sandbox.tickers()) < 110

    await until(many_are_missing)


async def test_cross(sandbox: Sandbox) -> None:
    sandbox.fault("cross", "BTC-USD")

    async def crossed() -> bool:
        tickers = await sandbox.tickers()
        low, high = usd(tickers[BTC], 8)
        assert int(tickers[ETH]["minPrice"]) <= int(tickers[ETH]["maxPrice"])
        return low > high * 1.009

    await until(crossed)


async def test_spike(sandbox: Sandbox) -> None:
    before = usd((await sandbox.tickers())[ETH], 18)[0]
    sandbox.fault("spike", "ETH-USD")

    async def spiked() -> bool:
        low, high = usd((await sandbox.tickers())[ETH], 18)
        return low == high == pytest.approx(before * 1.2, rel=0.01)

    await until(spiked)
    days = await sandbox.get("/prices/24h")
    (eth,) = [day for day in days if day["tokenSymbol"] == "ETH"]
    assert eth["close"] == pytest.approx(before, rel=0.01)


async def test_duplicate(sandbox: Sandbox) -> None:
    sandbox.fault("duplicate")

    bodies: list[bytes] = []

    async def twice() -> bool:
        answer = await sandbox.rest.get("/prices/tickers")
        bodies.append(answer.content)
        newest = answer.json()[0]["updatedAt"]
        # Another target is another answer: it shows that this one is old by now.
        async with asyncio.timeout(5):
            while (await sandbox.get("/prices/tickers?fresh"))[0]["updatedAt"] <= newest:
                await asyncio.sleep(0.02)
        return len(bodies) > 1 and bodies[-1] == bodies[-2]

    await until(twice)
    sandbox.board.clear()
    sandbox.fault("duplicate", "SOL-USD")

    async def listed_twice() -> bool:
        tokens = [entry["tokenAddress"] for entry in await sandbox.get("/prices/tickers")]
        return tokens.count(SOL) == 2 and tokens.count(ETH) == 1

    await until(listed_twice)


async def test_delist(sandbox: Sandbox) -> None:
    pool = await sandbox.pool(SOL)
    assert (pool["isListed"], pool["isDisabled"]) == (True, False)
    sandbox.fault("delist", "SOL-USD")

    async def gone() -> bool:
        return SOL not in await sandbox.tickers()

    await until(gone)
    pool = await sandbox.pool(SOL)
    assert (pool["isListed"], pool["isDisabled"]) == (False, True)
    markets = (await sandbox.get("/markets"))["markets"]
    assert {m["isListed"] for m in markets if m["indexToken"] == SOL} == {False}
    assert {m["isListed"] for m in markets if m["indexToken"] == ETH} == {True}
    assert SOL not in {
        m["indexTokenAddress"] for m in await sandbox.get("/v1/markets") if m["isListed"]
    }
    sandbox.board.clear()

    async def back() -> bool:
        return bool((await sandbox.pool(SOL))["isListed"]) and SOL in await sandbox.tickers()

    await until(back)


async def test_rate_limit(sandbox: Sandbox) -> None:
    sandbox.fault("rate_limit")

    async def refused() -> bool:
        return (await sandbox.rest.get("/prices/tickers")).status_code == 429

    await until(refused)
    answer = await sandbox.rest.get("/ping")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "1"


async def test_slow(sandbox: Sandbox) -> None:
    sandbox.fault("slow")

    async def late() -> bool:
        asked_ns = mono_ns()
        await sandbox.get("/ping")
        return mono_ns() - asked_ns >= 1_500_000_000

    await until(late)


async def test_every_fault_is_registered(sandbox: Sandbox) -> None:
    for kind in server.FAULT_KINDS:
        sandbox.fault(kind, "HYPE-USD")
    assert len(sandbox.board.running(mono_ns())) == 11
