"""The gTrade replica over real sockets: prices, variables and events as they were recorded."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from sandbox.gains.hours import CLASSES
from tests.integration.raw_gains import (
    BTC,
    CLOSED_US,
    ETH,
    EUR_USD,
    OPEN_US,
    XAU,
    Frame,
    Running,
    is_named,
    pairs_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parents[1] / "data" / "gains"
SANDBOX_DATA = Path(__file__).parents[2] / "sandbox" / "data" / "gains"
RECORDED_PAIRS = json.loads((DATA / "pairs.sdk-2026-03-25.json").read_bytes())["pairs"]
CHAINS = (42161, 137, 8453)
RECORDED_EVENTS = (
    "accBorrowingFeesGroupUpdated",
    "accBorrowingFeesPairUpdated",
    "currentBlock",
    "currentL1Block",
    "liveEvent",
    "new-trade-history",
    "oiWindowUpdated",
    "openInterestGroupUpdated",
    "registerTrade",
    "unregisterTrade",
    "updateTrade",
)


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


def json_type(value: Any) -> type:
    return float if type(value) is int else type(value)


def same_shape(ours: Any, recorded: Any, where: str = "") -> None:
    """Every recorded key is there, with a value of the same JSON type; of lists, the first."""
    assert json_type(ours) is json_type(recorded), where
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in ours, f"{where}.{key}"
            same_shape(ours[key], value, f"{where}.{key}")
    elif isinstance(recorded, list) and recorded:
        assert ours, where
        same_shape(ours[0], recorded[0], f"{where}[]")


def recorded_event(name: str) -> Any:
    path = DATA / "event-stream-v8-arbitrum-2024-05-30" / f"{name}.json"
    return json.loads(path.read_bytes())


async def test_v4_sends_changed_pairs_with_mark_index_and_time(sandbox: Running) -> None:
    async with sandbox.client("/v4") as client:
        for _ in range(12):
            await client.until(lambda frame: "m" in frame)
    seen: dict[int, float] = {}
    for frame in client.frames:
        assert set(frame) <= {"m", "i", "t"}
        assert isinstance(frame["t"], int)
        marks, indices = dict(pairs_of(frame, "m")), dict(pairs_of(frame, "i"))
        for i, price in marks.items():
            assert seen.get(i) != price
            if RECORDED_PAIRS[i]["marketType"] == "core":
                assert indices[i] == price
            elif i in indices:
                assert indices[i] == pytest.approx(price, rel=0.003)
        seen |= marks
    assert len(seen) >= 90
    assert seen[BTC] == pytest.approx(sandbox.prices.price("BTC-USD"), rel=0.002)
    assert EUR_USD in seen
    times = [frame["t"] for frame in client.frames]
    assert times == sorted(times)


@pytest.mark.parametrize("path", ["/v3", "/pricing"])
async def test_v3_sends_flat_arrays_and_keep_alives(sandbox: Running, path: str) -> None:
    async with sandbox.client(path) as client:
        await client.until(lambda frame: BTC in frame[::2])
        first = await client.until(lambda frame: len(frame) == 1)
        second = await client.until(lambda frame: len(frame) == 1)
    assert second[0] - first[0] >= 1_000
    assert all(isinstance(frame, list) for frame in client.frames)
    assert all(len(frame) == 1 or len(frame) % 2 == 0 for frame in client.frames)


async def test_an_idle_v4_socket_still_hears_the_time(sandbox: Running) -> None:
    async with sandbox.client("/v4") as client:
        await client.until(lambda frame: set(frame) == {"t"})


async def test_numbers_are_written_as_javascript_writes_them(sandbox: Running) -> None:
    sandbox.prices.set({"BTC-USD": 70_000.0, "PEPE-USD": 0.0000123456789})
    async with sandbox.client("/v4") as client:
        text = await client.raw()
        while "0.0000123" not in text:
            text = await client.raw()
    assert ".0," not in text
    assert "e-05" not in text


async def test_posted_prices_are_streamed_and_traded(sandbox: Running) -> None:
    async with sandbox.client() as client:
        await client.next()
        sandbox.prices.set({"ETH-USD": 5_000.0})
        streamed = await client.price(ETH, lambda price: 4_900 < price < 5_100)
        charts = await sandbox.get("/pricing/charts")
        assert charts["closes"][ETH] == pytest.approx(streamed, rel=0.002)
        # Variables are built once a change of the chain, which every block is.
        async with asyncio.timeout(5):
            weth = 0.0
            while weth != pytest.approx(5_000, rel=0.01):
                collaterals = (await sandbox.variables())["collaterals"]
                weth = collaterals[1]["prices"]["collateralPriceUsd"]
    sandbox.prices.set({"ETH-USD": 3_264.0})


async def test_charts_have_a_slot_for_every_pair(sandbox: Running) -> None:
    charts = await sandbox.get("/pricing/charts")
    assert isinstance(charts["time"], int)
    for name in ("opens", "highs", "lows", "closes", "indexPrices"):
        assert len(charts[name]) == len(RECORDED_PAIRS)
    quoted = [i for i, price in enumerate(charts["closes"]) if price is not None]
    assert sum(RECORDED_PAIRS[i]["assetClass"] == "crypto" for i in quoted) >= 40
    assert {RECORDED_PAIRS[i]["assetClass"] for i in quoted} == {"crypto", *CLASSES}
    assert not any(RECORDED_PAIRS[i]["delisted"] for i in quoted)
    for i in quoted:
        assert charts["lows"][i] <= charts["opens"][i] <= charts["highs"][i]
        assert charts["lows"][i] <= charts["closes"][i] <= charts["highs"][i]


async def test_candles(sandbox: Running) -> None:
    now_s = sandbox.replica.now_us() // 1_000_000
    body = await sandbox.get(f"/pricing/charts/{BTC}/{now_s - 3600}/{now_s}/5")
    candle = body["table"][-1]
    assert set(candle) == {"open", "high", "low", "close", "time"}
    assert candle["time"] % 300_000 == 0
    assert candle["low"] <= candle["close"] <= candle["high"]
    assert await sandbox.get(f"/pricing/charts/4/0/{now_s}/1") == {"table": []}


async def test_pairs_keep_their_recorded_index_and_name(sandbox: Running) -> None:
    pairs = (await sandbox.variables())["pairs"]
    names = [f"{pair['from']}/{pair['to']}" for pair in pairs]
    assert names[: len(RECORDED_PAIRS)] == [pair["symbol"] for pair in RECORDED_PAIRS]
    assert set(names[len(RECORDED_PAIRS) :]) == {"/"}


async def test_quoted_pairs_follow_the_market_of_their_name(sandbox: Running) -> None:
    charts = await sandbox.get("/pricing/charts")
    table = (SANDBOX_DATA / "pairs.csv").read_text(encoding="utf-8").splitlines()
    for row in csv.DictReader(table):
        if row["market"]:
            assert row["market"] == f"{row['from'].removesuffix('_1')}-{row['to']}"
            shown = charts["closes"][int(row["pair_index"])]
            assert shown == pytest.approx(sandbox.prices.price(row["market"]), rel=0.01)


@pytest.mark.parametrize("chain_id", CHAINS)
async def test_variables_have_the_recorded_shape(sandbox: Running, chain_id: int) -> None:
    ours = await sandbox.variables(chain_id)
    recorded = json.loads((DATA / "trading-variables.sepolia.2025-06-15.cut.json").read_bytes())
    # Depth bands took the place of the depth at one percent with v10.2.
    del recorded["pairInfos"]["pairDepths"]
    recorded["oiWindows"] = []
    same_shape(ours, recorded)
    assert set(ours["pairInfos"]["pairDepthBands"][BTC]) == {
        f"{side}Slot{i}" for side in ("above", "below") for i in (1, 2)
    }
    assert set(ours["depthBandsMapping"]) == {"slot1", "slot2"}
    assert ours["feeTiers"]["stakingTiers"]
    slots = len(ours["pairs"])
    assert len(ours["oiWindows"]) == len(ours["counterTradeSettings"]) == slots
    for collateral in ours["collaterals"]:
        assert len(collateral["pairOis"]) == len(collateral["pairSkewDepths"]) < slots
    indices = [collateral["collateralIndex"] for collateral in ours["collaterals"]]
    assert indices == list(range(1, len(indices) + 1))


async def test_depth_bands_decode_to_a_whole_side(sandbox: Running) -> None:
    slots = (await sandbox.variables())["pairInfos"]["pairDepthBands"][BTC]
    first, second = int(slots["aboveSlot1"]), int(slots["aboveSlot2"])
    bands = [first >> shift & 0xFFFF for shift in range(32, 256, 16)]
    bands += [second >> shift & 0xFFFF for shift in range(0, 256, 16)]
    assert first & 0xFFFFFFFF == 25_000_000
    assert len(bands) == 30
    assert bands == sorted(bands)
    assert bands[-1] == 10_000


async def test_all_variables_come_with_no_trades(sandbox: Running) -> None:
    body = await sandbox.get("/backend/137/trading-variables/all")
    assert body["allTrades"] == []
    assert body["currentBlock"] > 0


@pytest.mark.parametrize("chain_id", CHAINS)
async def test_open_trades(sandbox: Running, chain_id: int) -> None:
    trades = await sandbox.get(f"/backend/{chain_id}/open-trades")
    recorded = json.loads((DATA / "open-trades.sepolia.cut.json").read_bytes())
    assert len(trades) >= 20
    same_shape(trades, recorded)
    user = trades[0]["trade"]["user"]
    own = await sandbox.get(f"/backend/{chain_id}/open-trades/{user}")
    assert {trade["trade"]["user"] for trade in own} == {user}


async def test_the_event_stream_starts_with_the_variables(sandbox: Running) -> None:
    async with sandbox.client("/backend/8453") as client:
        first = await client.next()
        assert first["name"] == "tradingVariables"
        assert first["value"].keys() == (await sandbox.variables(8453)).keys()


async def test_events_have_the_recorded_shapes(sandbox: Running) -> None:
    """All but the values of v8 that v10 replaced."""
    seen: dict[str, Frame] = {}
    async with sandbox.client("/backend/42161") as client:
        while not {*RECORDED_EVENTS, "openInterestPairUpdated"} <= seen.keys():
            frame = await client.next()
            sandbox.pass_time(0.5)
            if frame["name"] != "liveEvent" or frame["value"]["event"] == "TradeSlUpdated":
                seen.setdefault(frame["name"], frame)
    for name in RECORDED_EVENTS:
        recorded = recorded_event(name)
        if name == "oiWindowUpdated":
            # A side nobody traded is the number 0.
            sides = seen[name]["value"].pop("newOi")
            assert sides.keys() == recorded["value"].pop("newOi").keys()
            assert all(isinstance(side, str) or side == 0 for side in sides.values())
        same_shape(seen[name], recorded, name)
    oi = seen["openInterestPairUpdated"]["value"]["pairBorrowingFees"]
    assert set(oi) == {"beforeV10", "collateral", "token"}


async def test_an_execution_moves_what_rest_shows(sandbox: Running) -> None:
    def is_open_execution(frame: Frame) -> bool:
        value = frame["value"] if frame["name"] == "liveEvent" else {}
        return value.get("event") == "MarketExecuted" and value["returnValues"]["open"]

    async with sandbox.client("/backend/42161") as client:
        executed = (await client.until(is_open_execution))["value"]["returnValues"]
        registered = (await client.until(is_named("registerTrade")))["value"]
        window = (await client.until(is_named("oiWindowUpdated")))["value"]
        interest = (await client.until(is_named("openInterestPairUpdated")))["value"]
    trade = registered["trade"]
    assert executed["t"][:4] == [executed["user"], trade["index"], *executed["t"][2:4]]
    assert executed["3"] == executed["t"]
    assert trade["openPrice"] == executed["priceImpact"][-1]
    oracle, fill = int(executed["oraclePrice"]), int(trade["openPrice"])
    assert fill == pytest.approx(oracle, rel=0.005)
    pair = int(trade["pairIndex"])
    collateral = int(trade["collateralIndex"])
    shown = await sandbox.variables()
    volume = shown["oiWindows"][pair][window["windowId"]]
    side = "oiLongUsd" if trade["long"] else "oiShortUsd"
    assert int(volume[side]) >= int(window["newOi"][side]) > 0
    oi = shown["collaterals"][collateral - 1]["pairOis"][pair]
    assert oi["beforeV10"] == interest["pairBorrowingFees"]["beforeV10"]
    ids = [
        (each["trade"]["user"], each["trade"]["index"])
        for each in await sandbox.get("/backend/42161/open-trades")
    ]
    assert len(ids) == len(set(ids))


async def test_what_trades_change_is_told_as_rest_shows_it(sandbox: Running) -> None:
    """Borrowing by block grows for pairs without funding and for their group, by second for the
    others."""
    names = (
        "openInterestGroupUpdated",
        "accBorrowingFeesPairUpdated",
        "pendingAccBorrowingFeesStored",
    )
    told: dict[str, Frame] = {}
    async with sandbox.client("/backend/42161") as client:
        while not set(names) <= told.keys():
            frame = await client.next()
            sandbox.pass_time(0.5)
            if frame["name"] in names:
                told[frame["name"]] = frame["value"]
    collaterals = (await sandbox.variables())["collaterals"]

    def shown(value: Frame, version: str, kind: str) -> Any:
        return collaterals[int(value["collateralIndex"]) - 1]["borrowingFees"][version][kind]

    group = told["openInterestGroupUpdated"]
    of_group = shown(group, "v1", "groups")[int(group["groupIndex"])]
    for side in ("long", "short"):
        now, then = int(of_group["oi"][side]), int(group["groupBorrowingFees"][f"oi{side.title()}"])
        assert now == pytest.approx(then, rel=0.05)
        assert 0 < now < int(of_group["oi"]["max"])
    assert int(of_group["accFeeLong"]) + int(of_group["accFeeShort"]) > 0
    pair = told["accBorrowingFeesPairUpdated"]
    of_pair = shown(pair, "v1", "pairs")[int(pair["pairIndex"])]
    assert int(of_pair["accFeeLong"]) >= int(pair["pairBorrowingFees"]["accFeeLong"]) > 0
    assert [each["groupIndex"] for each in of_pair["groups"]] == [group["groupIndex"]]
    core = told["pendingAccBorrowingFeesStored"]
    data = shown(core, "v2", "pairData")[int(core["pairIndex"])]
    assert int(data["accBorrowingFeeP"]) >= int(core["pairData"]["accBorrowingFeeP"]) > 0
    assert shown(core, "v1", "pairs")[int(core["pairIndex"])]["groups"][-1]["groupIndex"] == "0"


async def test_blocks_rise_and_arbitrum_s_are_the_fastest(sandbox: Running) -> None:
    heights = {}
    for chain_id in CHAINS:
        async with sandbox.client(f"/backend/{chain_id}") as client:
            sandbox.pass_time(2)
            first = await client.until(is_named("currentBlock"))
            sandbox.pass_time(2)
            second = await client.until(is_named("currentBlock"))
        assert second["value"] > first["value"]
        heights[chain_id] = second["value"]
    assert heights[42161] > heights[137]


async def test_what_is_closed_is_not_quoted() -> None:
    running = Running(CLOSED_US)
    await running.wait_ready()
    async with running.client() as client:
        for _ in range(15):
            await client.until(lambda frame: "m" in frame)
    quoted = {i for frame in client.frames for i, _ in pairs_of(frame)}
    assert {RECORDED_PAIRS[i]["assetClass"] for i in quoted} == {"crypto"}
    shown = await running.variables()
    assert not any(shown[f"is{name.title()}Open"] for name in CLASSES)
    # What was last known stays.
    assert (await running.get("/pricing/charts"))["closes"][XAU] == pytest.approx(2398.7, rel=0.01)
    await running.close()


async def test_the_close_of_a_market_is_told_at_once() -> None:
    running = Running(OPEN_US)
    await running.wait_ready()
    async with running.client("/backend/42161") as client:
        assert (await client.next())["value"]["isStocksOpen"] is True
        # 15:00 UTC; the stock exchange closes at 20:00.
        running.pass_time(5 * 3600)
        told = await client.until(is_named("tradingVariables"))
    assert (told["value"]["isStocksOpen"], told["value"]["isForexOpen"]) == (False, True)
    await running.close()


async def test_unknown_paths_are_not_found(sandbox: Running) -> None:
    for path in ("/backend/1/trading-variables", "/pricing/charts/0/1/2/0", "/nothing"):
        assert (await sandbox.rest.get(path)).status_code == 404


async def test_stop_tells_clients() -> None:
    running = Running()
    await running.wait_ready()
    async with running.client() as client:
        await client.next()
        await running.close()
        with pytest.raises(ConnectionClosed) as closed:
            await client.until(lambda _: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
