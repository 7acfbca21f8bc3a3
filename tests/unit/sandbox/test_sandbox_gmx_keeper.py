"""The GMX replica on a clock that the test moves."""

import json
from itertools import pairwise
from typing import Any

from sandbox.faults import NO_FAULTS, ActiveFaults, Fault
from sandbox.gmx.catalogue import load_catalogue
from sandbox.gmx.keeper import Keeper
from sandbox.prices import PriceProcess, load_assets

START_US = 1_790_000_000_000_000

BTC = "0x47904963fc8b2340414262125aF798B9655E58Cd"
ETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
SOL = "0x2bcC6D6CdBbDC0a4071e48bb3B969b06B3330c07"
USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
NO_TOKEN = "0x" + "0" * 40

PATHS = (
    "/ping",
    "/prices/tickers",
    "/signed_prices/latest",
    "/prices/24h",
    "/tokens",
    "/markets",
    "/markets/info",
    "/v1/markets",
    "/v1/markets/tickers",
    "/v1/markets/config",
    "/v1/markets/values",
    "/v1/markets/info",
)


class Offline:
    """A keeper without sockets."""

    def __init__(self, seed: int = 1) -> None:
        self.now_us = START_US
        prices = PriceProcess(load_assets(), seed)
        self.keeper = Keeper(load_catalogue(), prices, seed=seed, rate=1, now_us=START_US)

    def run(self, ms: int, faults: ActiveFaults = NO_FAULTS) -> None:
        for _ in range(0, ms, 10):
            self.now_us += 10_000
            self.keeper.turn(self.now_us, faults)

    def body(self, path: str) -> bytes:
        body = self.keeper.body(path)
        assert body is not None
        return body

    def get(self, path: str) -> Any:
        return json.loads(self.body(path))


def test_a_refresh_every_100_ms_an_observation_every_second() -> None:
    offline = Offline()
    bodies = []
    for _ in range(310):
        offline.run(10)
        bodies.append({t["tokenAddress"]: t for t in offline.get("/prices/tickers")})
    for token in (BTC, ETH, SOL, USDC):
        updates = list(dict.fromkeys(body[token]["updatedAt"] for body in bodies))
        assert {b - a for a, b in pairwise(updates)} == {100}
        by_second: dict[int, set[tuple[str, str]]] = {}
        for body in bodies:
            entry = body[token]
            assert 0 <= entry["updatedAt"] - entry["timestamp"] * 1000 < 1000
            by_second.setdefault(entry["timestamp"], set()).add(
                (entry["minPrice"], entry["maxPrice"])
            )
        assert len(by_second) >= 4
        assert all(len(prices) == 1 for prices in by_second.values())
    newest = [body[BTC]["minPrice"] for body in bodies]
    assert len(set(newest)) >= 4
    spread_ms = {entry["updatedAt"] for entry in bodies[-1].values()}
    assert len(spread_ms) <= 3


def test_a_body_is_built_once_a_refresh() -> None:
    offline = Offline()
    for path in PATHS:
        assert offline.keeper.body(path) is offline.keeper.body(path)
    before = offline.body("/prices/tickers")
    offline.run(100)
    assert offline.body("/prices/tickers") is not before


def test_pools_move_every_five_seconds() -> None:
    offline = Offline()
    seen = []
    for _ in range(30):
        offline.run(1000)
        seen.append(offline.body("/markets/info"))
    amounts = ["".join(m["poolAmountLong"] for m in json.loads(b)["markets"]) for b in seen]
    assert 6 <= len(set(amounts)) <= 7
    first, last = (
        {m["marketToken"]: m for m in json.loads(body)["markets"]} for body in (seen[0], seen[-1])
    )
    negative = 0
    for token, pool in last.items():
        if pool["indexToken"] == NO_TOKEN:
            assert pool["openInterestLong"] == pool["availableLiquidityShort"] == "0"
            continue
        moved = int(pool["poolAmountLong"]) / int(first[token]["poolAmountLong"])
        assert moved != 1
        assert 0.5 < moved < 2
        rates = {name: int(value) for name, value in pool.items() if "Rate" in name}
        for side in ("Long", "Short"):
            net = rates[f"fundingRate{side}"] + rates[f"borrowingRate{side}"]
            assert rates[f"netRate{side}"] == net
            negative += int(pool[f"availableLiquidity{side}"]) < 0
        longs_pay = int(pool["openInterestLong"]) >= int(pool["openInterestShort"])
        payer, taker = ("Long", "Short") if longs_pay else ("Short", "Long")
        assert rates[f"fundingRate{payer}"] >= 0 >= rates[f"fundingRate{taker}"]
        assert rates[f"borrowingRate{payer}"] > 0 == rates[f"borrowingRate{taker}"]
    assert 0 < negative < 20


def test_the_seed_decides_everything() -> None:
    faults = ActiveFaults([Fault("gmx", "gap", None, 0)])
    one, same, other = Offline(1), Offline(1), Offline(2)
    for offline in (one, same, other):
        offline.run(6_000)
        offline.run(200, faults)
    for path in PATHS:
        assert one.body(path) == same.body(path)
    for path in ("/prices/tickers", "/prices/24h", "/markets/info"):
        assert one.body(path) != other.body(path)


def test_interest_moves_by_orders_alone() -> None:
    offline = Offline()
    offline.run(1000)
    keeper = offline.keeper
    keeper.orders.clear()
    infos = []
    for _ in range(2):
        infos.append(
            {m["marketToken"]: m for m in json.loads(offline.body("/markets/info"))["markets"]}
        )
        if len(infos) == 1:
            offline.run(800_000)
    orders = [order for order in keeper.orders if not order.cancelled]
    assert 40 < len(orders) < 160
    assert {order.is_long for order in orders} == {order.is_increase for order in orders}
    assert any(order.cancelled for order in keeper.orders)
    for token, before in infos[0].items():
        for is_long, side in ((True, "Long"), (False, "Short")):
            found = [o for o in orders if (o.market, o.is_long) == (token, is_long)]
            change = sum(o.size_usd if o.is_increase else -o.size_usd for o in found)
            after = int(infos[1][token][f"openInterest{side}"])
            assert after == int(before[f"openInterest{side}"]) + change
            if found:
                assert found[-1].interest_usd == after
    for order in orders:
        assert order.size_tokens > 0
        assert order.price in {s.min_price for s in order.seen} | {s.max_price for s in order.seen}


def test_what_the_api_says_fits_what_the_keeper_says() -> None:
    offline = Offline()
    offline.run(10_000)
    infos = {row["marketToken"]: row for row in offline.get("/markets/info")["markets"]}
    configs = {row["marketTokenAddress"]: row for row in offline.get("/v1/markets/config")}
    values = {row["marketTokenAddress"]: row for row in offline.get("/v1/markets/values")}
    both = {row["marketTokenAddress"]: row for row in offline.get("/v1/markets/info")}
    prices = {row["tokenAddress"]: row for row in offline.get("/prices/tickers")}
    assert infos.keys() == configs.keys() == values.keys() == both.keys()
    for pool, info in infos.items():
        config, now = configs[pool], values[pool]
        assert both[pool].items() >= config.items()
        assert now.keys() - both[pool].keys() == {"updatedAt"}
        read_ms = None if config["isDisabled"] else offline.now_us // 100_000 * 100
        assert now["updatedAt"] == read_ms
        if config["isSpotOnly"]:
            assert now["longInterestUsd"] == config["maxOpenInterestLong"] == "0"
            continue
        assert now["longInterestUsd"] == info["openInterestLong"]
        assert now["shortPoolAmount"] == info["poolAmountShort"]
        payer = "Long" if now["longsPayShorts"] else "Short"
        year_s = 365 * 86_400
        assert int(now["fundingFactorPerSecond"]) * year_s == int(info[f"fundingRate{payer}"])
        assert int(now[f"borrowingFactorPerSecondFor{payer}s"]) * year_s == int(
            info[f"borrowingRate{payer}"]
        )
        # What may be reserved of the pool, less the size of all shorts.
        pool_usd = int(now["shortPoolAmount"]) * int(
            prices[config["shortTokenAddress"]]["minPrice"]
        )
        left = pool_usd * int(config["openInterestReserveFactorShort"]) // 10**30 - int(
            now["shortInterestUsd"]
        )
        limit = int(config["maxOpenInterestShort"]) - int(now["shortInterestUsd"])
        said = int(info["availableLiquidityShort"])
        # Prices have moved a little since the pools were read.
        assert abs(min(left, limit) - said) < pool_usd // 100


def test_pools_of_one_token_share_an_inventory() -> None:
    offline = Offline()
    offline.run(1000)
    configs = offline.get("/v1/markets/config")
    values = {row["marketTokenAddress"]: row for row in offline.get("/v1/markets/values")}
    shared: dict[str, list[Any]] = {}
    for config in configs:
        now = values[config["marketTokenAddress"]]
        if int(config["virtualIndexTokenId"], 16):
            shared.setdefault(config["virtualIndexTokenId"], []).append(now)
        else:
            assert now["virtualInventoryForPositionsInTokens"] == "0"
    assert len(shared) > 5
    for pools in shared.values():
        assert len(pools) > 1
        for name, short, long in (
            ("virtualInventoryForPositions", "shortInterestUsd", "longInterestUsd"),
            (
                "virtualInventoryForPositionsInTokens",
                "shortInterestInTokens",
                "longInterestInTokens",
            ),
        ):
            total = sum(int(pool[short]) - int(pool[long]) for pool in pools)
            assert {int(pool[name]) for pool in pools} == {total}


def test_a_market_that_is_delisted_is_not_read() -> None:
    offline = Offline()

    def disabled() -> set[str]:
        configs = offline.get("/v1/markets/config")
        gone = {row["marketTokenAddress"] for row in configs if row["isDisabled"]}
        for row in offline.get("/v1/markets/values"):
            assert (row["updatedAt"] is None) == (row["marketTokenAddress"] in gone)
        return {row["indexTokenAddress"] for row in configs if row["marketTokenAddress"] in gone}

    before = disabled()
    offline.run(200, ActiveFaults([Fault("gmx", "delist", "SOL-USD", 0)]))
    assert disabled() == before | {SOL}
