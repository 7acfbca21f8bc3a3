"""Ladders, depth and funding that a feed of its own process writes, from the sandbox's replicas."""

from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from connectors.registry import ECONOMICS
from domain.costs import OrderSide, PricedPool, best_pool
from domain.ids import VenueId
from runtime.channels import (
    FEED_LEADER,
    FUNDING_SHARES,
    depth_key,
    funding_key,
    ladder_key,
    ladder_room,
    share_of,
)
from tests.integration.feed_kit import MARKETS, Feed, Tape, feeds, listening, sandbox, until

VENUES = {"dydx", "gmx", "gains"}
Start = Callable[[str, dict[str, str]], Feed]
Heard = tuple[Tape, "Redis"]


@pytest.fixture(scope="module")
def venues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as settings:
        yield settings


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with feeds(tmp_path) as started_feeds:
        yield started_feeds


@pytest_asyncio.fixture
async def heard(embedded_redis_url: str) -> AsyncIterator[Heard]:
    async with listening(embedded_redis_url) as pair:
        await until(lambda: gone(pair[1]), "a quiet Redis")
        yield pair


async def gone(redis: "Redis") -> bool:
    return not await redis.exists(FEED_LEADER, *(ladder_key(market) for market in MARKETS))


async def read(redis: "Redis", market: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ladder and the depth that it was made of, once every venue has rows."""
    found: list[dict[str, Any]] = []

    async def complete() -> bool:
        raw = await redis.mget(ladder_key(market), depth_key(market))
        if None in raw:
            return False
        found[:] = map(orjson.loads, raw)
        # One is written after the other.
        if found[0]["seq"] != found[1]["seq"]:
            return False
        return {row["venue"] for row in found[0]["data"]["buy"]} == VENUES

    await until(complete, f"a ladder of {market} with every venue")
    return found[0], found[1]


def walked(inputs: dict[str, Any], side: str, size: str) -> Fraction | None:
    """The average price of a market order on the levels of a book, told in other words."""
    flat = inputs["asks" if side == "BUY" else "bids"]
    tick = Fraction(inputs["tick_e18"]) / 10**18
    step = Fraction(inputs["step_e18"]) / 10**18
    left, base = Fraction(size), Fraction(0)
    for ticks, steps in zip(flat[::2], flat[1::2], strict=True):
        price, most = int(ticks) * tick, int(steps) * step
        taken = min(most, left / price)
        base, left = base + taken, left - taken * price
    return None if left else Fraction(size) / base


@pytest.mark.parametrize("market", ["BTC-USD", "ETH-USD"])
async def test_a_ladder_is_what_its_depth_says(
    embedded_redis_url: str, venues: dict[str, str], start: Start, heard: Heard, market: str
) -> None:
    tape, redis = heard
    start(embedded_redis_url, venues)
    ladder, depth = await read(redis, market)
    data = ladder["data"]
    pools = {(row["venue"], row["pool"]): row for row in depth["pools"]}
    assert [(row["venue"], row["pool"]) for row in data["buy"]] == list(pools)
    assert data["mid"] == depth["mid"]
    known = 0
    for name, side in (("buy", "BUY"), ("sell", "SELL")):
        for at, size in enumerate(data["sizes"]):
            costs = []
            for row in data[name]:
                pool = pools[row["venue"], row["pool"]]
                cost = priced(pool, side, size)
                if isinstance(cost, PricedPool):
                    costs.append((cost, row["best"][at]))
                    known += 1
                check(row, at, cost)
                if row["venue"] == "dydx":
                    mine = walked(pool["inputs"], side, size)
                    assert (mine is None) == (row["all_in"][at] is None)
                    if mine is not None:
                        fee = Fraction(pool["inputs"]["taker_ppm"], 10**6)
                        all_in = mine * (1 + fee if side == "BUY" else 1 - fee)
                        assert abs(Fraction(row["all_in"][at]) / all_in - 1) < 1e-11
            if costs:
                best = best_pool([cost for cost, _ in costs])
                assert [cost for cost, chosen in costs if chosen] == [best]
        check_splits(data, name)
    assert known > len(pools) * 4
    await until(
        lambda: any(orjson.loads(item.body) == ladder for item in tape.envelopes()
                    if item.room == ladder_room(market)),
        "the same on the tape",
    )  # fmt: skip


def priced(pool: dict[str, Any], side: str, size: str) -> Any:
    economics = ECONOMICS[VenueId(pool["venue"])]
    inputs = economics.decode(pool["inputs"])
    assert economics.decode(orjson.loads(orjson.dumps(economics.encode(inputs)))) == inputs
    which: OrderSide = "BUY" if side == "BUY" else "SELL"
    cost = economics.price(pool["pool"], inputs, which, Decimal(size))
    if isinstance(cost, PricedPool):
        assert cost.gas_usd == (None if pool["gas_usd"] is None else Decimal(pool["gas_usd"]))
    return cost


def check(row: dict[str, Any], at: int, cost: Any) -> None:
    if not isinstance(cost, PricedPool):
        assert (row["all_in"][at], row["reason"][at]) == (None, cost.reason)
        return
    assert row["reason"][at] is None
    assert abs(Fraction(row["all_in"][at]) / Fraction(cost.all_in_price) - 1) < 1e-9
    for name in ("fee_bps", "spread_bps", "impact_bps", "all_in_bps"):
        assert row[name][at] == pytest.approx(float(getattr(cost, name)), abs=2e-4)


def check_splits(data: dict[str, Any], name: str) -> None:
    listed = {(row["venue"], row["pool"]) for row in data[name]}
    for split in data["splits"][name]:
        if split is not None:
            assert 2 <= len(split["legs"]) <= 3
            assert sum(leg["share_bps"] for leg in split["legs"]) == 10_000
            assert {(leg["venue"], leg["pool"]) for leg in split["legs"]} <= listed
            assert split["saved_bps"] is None or split["saved_bps"] > 0
            two = split["two_legs"]
            if two is not None:
                assert (len(split["legs"]), len(two["legs"])) == (3, 2)
                assert two["all_in_bps"] >= split["all_in_bps"]


async def test_a_venue_that_goes_takes_its_rows_and_its_funding_along(
    embedded_redis_url: str, venues: dict[str, str], start: Start, heard: Heard
) -> None:
    _, redis = heard
    start(embedded_redis_url, venues)
    await read(redis, "BTC-USD")
    key = funding_key(share_of("BTC-USD", FUNDING_SHARES))

    async def funded() -> set[str]:
        raw = await redis.get(key)
        return set() if raw is None else set(orjson.loads(raw)["data"].get("BTC-USD", {}))

    async def everywhere() -> bool:
        return await funded() == VENUES

    await until(everywhere, "funding of every venue")
    control = f"http://127.0.0.1:{venues['PERP_SANDBOX_CONTROL_PORT']}"
    async with httpx.AsyncClient() as client:
        fault = {"venue": "gains", "kind": "freeze", "seconds": 6.0}
        assert (await client.post(f"{control}/faults", json=fault)).status_code == 200

    async def without_gains() -> bool:
        raw = await redis.get(ladder_key("BTC-USD"))
        data = {} if raw is None else orjson.loads(raw)["data"]
        rows = {row["venue"] for row in data.get("buy", ())}
        out = {item["venue"]: item["reason"] for item in data.get("excluded", ())}
        return rows == {"dydx", "gmx"} and set(out) == {"gains"} and bool(out["gains"])

    async def not_held_there() -> bool:
        return await funded() == {"dydx", "gmx"}

    await until(without_gains, "a ladder without Gains")
    await until(not_held_there, "funding without Gains")
    await read(redis, "BTC-USD")
    await until(everywhere, "funding of every venue again")


async def test_the_process_that_makes_them_may_be_lost(
    embedded_redis_url: str, venues: dict[str, str], start: Start, heard: Heard
) -> None:
    _, redis = heard
    feed = start(embedded_redis_url, venues)
    before, _ = await read(redis, "BTC-USD")
    assert len(feed.kill_beside()) == 1

    async def newer() -> bool:
        raw = await redis.get(ladder_key("BTC-USD"))
        return raw is not None and orjson.loads(raw)["seq"] > before["seq"] + 5

    await until(newer, "later ladders")
    assert feed.says("beside_lost") == 1
    assert len(feed.kill_beside()) == 1


async def test_ladders_die_with_the_feed(
    embedded_redis_url: str, venues: dict[str, str], start: Start, heard: Heard
) -> None:
    _, redis = heard
    feed = start(embedded_redis_url, venues | {"PERP_VENUES": "dydx"})

    async def written() -> bool:
        return bool(await redis.exists(ladder_key("BTC-USD"), depth_key("BTC-USD")) == 2)

    await until(written, "a ladder")
    assert 0 < await redis.pttl(ladder_key("BTC-USD")) <= 1_000
    assert 0 < await redis.pttl(depth_key("BTC-USD")) <= 1_000
    feed.kill()
    await until(lambda: gone(redis), "no ladder")
