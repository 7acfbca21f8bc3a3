"""Ladders and funding through the gateway: rooms, REST, sizes of one's own, and bad input."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest

from api.service import Gateway, listen
from connectors.dydx.economics.pricing import ECONOMICS, BookInputs
from connectors.dydx.economics.quote import Scale
from domain.costs import PricedPool
from tests.integration.gateway_kit import (
    NO_DATABASE,
    UNLIMITED,
    Client,
    Rig,
    eventually,
    running_gateway,
)
from tests.integration.test_gateway_rest import check_problem

D = Decimal
BTC = "ladder:BTC-USD"
SCALE = Scale(10**17, 10**15)
CHEAP = BookInputs(SCALE, ((9990, 20_000), (9900, 10**7)), ((10_010, 20_000), (10_100, 10**7)))
DEEP = BookInputs(SCALE, ((9989, 10**7),), ((10_011, 10**7),), 300)
LADDER = {
    "sizes": ["1000"],
    "mid": "1000",
    "buy": [{"venue": "dydx", "pool": None, "all_in": ["1001.5"]}],
    "sell": [],
    "splits": {"buy": [None], "sell": [None]},
    "excluded": [],
}


def pool(inputs: BookInputs, name: str | None = None, *sides: str) -> dict[str, Any]:
    return {
        "venue": "dydx",
        "pool": name,
        "decimals": 18,
        "gas_usd": "0",
        "execution_fee_usd": None,
        "sides": list(sides or ("BUY", "SELL")),
        "inputs": ECONOMICS.encode(inputs),
    }


def depth(*pools: dict[str, Any], mid: str | None = "1000") -> dict[str, Any]:
    return {"mid": mid, "pools": pools, "excluded": [{"venue": "gmx", "reason": "STALE"}]}


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url) as running:
        yield running


async def asked(rig: Rig, sizes: str) -> dict[str, Any]:
    answer = await rig.http.get("/v1/ladders/BTC-USD", params={"sizes": sizes})
    assert answer.status_code == 200, answer.text
    envelope: dict[str, Any] = answer.json()["data"]
    return envelope


async def test_the_ladder_is_what_its_key_says_while_there_is_one(rig: Rig) -> None:
    check_problem(await rig.http.get("/v1/ladders/BTC-USD"), 503, "QUOTE_STALE")
    sent = await rig.feed.ladder(LADDER, depth(pool(CHEAP)))
    answer = await rig.http.get("/v1/ladders/BTC-USD")
    assert answer.content == b'{"data":' + sent.body + b"}"
    await rig.feed.drop_ladder()
    check_problem(await rig.http.get("/v1/ladders/BTC-USD"), 503, "QUOTE_STALE")
    check_problem(await rig.http.get("/v1/ladders/BTC-USD?sizes=5"), 503, "QUOTE_STALE")
    check_problem(await rig.http.get("/v1/ladders/NONE-USD"), 404, "UNKNOWN_MARKET")


async def test_sizes_of_ones_own_are_priced_exactly(rig: Rig) -> None:
    sent = await rig.feed.ladder(LADDER, depth(pool(CHEAP, "a"), pool(DEEP, "b", "BUY")))
    sizes = ["7", "25000.5", "30000000", "100000000"]
    envelope = await asked(rig, ",".join(sizes))
    assert (envelope["type"], envelope["room"], envelope["cause"]) == ("snapshot", BTC, "timer")
    assert (envelope["seq"], envelope["epoch"]) == (sent.seq, rig.feed.epoch)
    data = envelope["data"]
    assert data["sizes"] == sizes
    assert data["mid"] == "1000"
    assert data["excluded"] == [{"venue": "gmx", "reason": "STALE"}]
    for side, name in (("BUY", "buy"), ("SELL", "sell")):
        for row, inputs in zip(data[name], (CHEAP, DEEP), strict=True):
            assert (row["gas_usd"], row["execution_fee_usd"]) == ("0", None)
            for at, size in enumerate(sizes):
                exact = ECONOMICS.price(None, inputs, side, D(size))  # type: ignore[arg-type]
                if (side, row["pool"]) == ("SELL", "b"):
                    assert (row["all_in"][at], row["reason"][at]) == (None, "NO_TOUCH")
                elif isinstance(exact, PricedPool):
                    assert abs(D(row["all_in"][at]) - exact.all_in_price) <= D("1e-18")
                    assert row["all_in_bps"][at] == round(float(exact.all_in_bps), 4)
                    assert row["reason"][at] is None
                else:
                    assert (row["all_in"][at], row["reason"][at]) == (None, exact.reason)
    assert [row["best"] for row in data["buy"]] == [
        [False, False, False, False],
        [True, True, False, False],
    ]
    # Each of the two has some ten million.
    assert data["splits"]["buy"][3] is None
    split = data["splits"]["buy"][1]
    assert split is None or split["saved_bps"] > 0


async def test_a_split_is_found_for_any_size(rig: Rig) -> None:
    await rig.feed.ladder(LADDER, depth(pool(CHEAP, "a"), pool(CHEAP, "b"), pool(CHEAP, "c")))
    data = (await asked(rig, "60000,1"))["data"]
    split, none = data["splits"]["buy"]
    assert none is None
    assert sum(leg["share_bps"] for leg in split["legs"]) == 10_000
    assert len(split["legs"]) == 3
    # 20 USD of the best level at each are a third of what one alone pays 90 bps more for.
    assert split["saved_bps"] > 50
    alone = min(row["all_in_bps"][0] for row in data["buy"])
    assert split["all_in_bps"] < alone


async def test_no_pool_is_an_empty_ladder(rig: Rig) -> None:
    await rig.feed.ladder(LADDER, depth(mid=None))
    data = (await asked(rig, "5"))["data"]
    assert (data["buy"], data["sell"], data["mid"]) == ([], [], None)
    assert data["splits"] == {"buy": [None], "sell": [None]}


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ("", "BAD_SIZE"), ("x", "BAD_SIZE"), ("1e3", "BAD_SIZE"), ("-5", "BAD_SIZE"),
        ("+5", "BAD_SIZE"), ("5,", "BAD_SIZE"), (" 5", "BAD_SIZE"), ("05", "BAD_SIZE"),
        ("1_000", "BAD_SIZE"), ("\u0665", "BAD_SIZE"), ("NaN", "BAD_SIZE"), ("5.", "BAD_SIZE"),
        ("5.1234567", "BAD_SIZE"), ("9" * 5000, "BAD_SIZE"), ("1,2;3", "BAD_SIZE"),
        ("0", "OUT_OF_RANGE"), ("0.999999", "OUT_OF_RANGE"), ("100000000.000001", "OUT_OF_RANGE"),
        ("5,100000001", "OUT_OF_RANGE"), (",".join(["5"] * 11), "TOO_MANY"),
        ("," * 3000, "TOO_MANY"),
    ],
)  # fmt: skip
async def test_sizes_that_are_none(rig: Rig, sizes: str, code: str) -> None:
    answer = await rig.http.get("/v1/ladders/BTC-USD", params={"sizes": sizes})
    problem = check_problem(answer, 422, "INVALID_REQUEST")
    assert [(issue["path"], issue["code"]) for issue in problem["issues"]] == [
        ("query.sizes", code)
    ]


@pytest.mark.parametrize("query", ["size=5", "sizes=5&sizes=6", "limit=5"])
async def test_other_parameters_are_refused(rig: Rig, query: str) -> None:
    answer = await rig.http.get(f"/v1/ladders/BTC-USD?{query}")
    check_problem(answer, 422, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "bad",
    [
        depth(pool(CHEAP) | {"venue": "other"}),
        depth(pool(CHEAP) | {"inputs": {}}),
        depth(pool(CHEAP) | {"sides": None}),
        depth(pool(CHEAP)) | {"pools": None},
        depth(pool(CHEAP)) | {"version": 1},
    ],
)
async def test_a_depth_that_cannot_be_read_is_no_ladder(rig: Rig, bad: dict[str, Any]) -> None:
    await rig.feed.ladder(LADDER, bad)
    answer = await rig.http.get("/v1/ladders/BTC-USD?sizes=5")
    check_problem(answer, 503, "FEED_UNAVAILABLE")
    assert (await rig.http.get("/v1/ladders/BTC-USD")).status_code == 200


async def test_many_at_once_get_the_same_answer(rig: Rig) -> None:
    await rig.feed.ladder(LADDER, depth(pool(CHEAP, "a"), pool(DEEP, "b")))
    sizes = ",".join(str(1000 * number) for number in range(1, 11))
    answers = await asyncio.gather(*(asked(rig, sizes) for _ in range(20)))
    assert all(answer["data"] == answers[0]["data"] for answer in answers)


async def test_a_room_is_blank_while_the_feed_is_silent(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        first = (await client.subscribe(BTC))[BTC]
        assert (first["type"], first["data"]["buy"]) == ("snapshot", [])
        sent = await rig.feed.ladder(LADDER, depth(pool(CHEAP)))
        update = await client.next("ladder")
        assert update == orjson.loads(sent.body)
        rig.feed.muted = True
        blank = await client.until("ladder", lambda item: item["cause"] == "status")
        assert (blank["seq"], blank["data"]["buy"]) == (sent.seq, [])
        assert blank["data"]["excluded"] == [{"venue": "dydx", "reason": "FEED_SILENT"}]
        rig.feed.muted = False
        # The feed says nothing new: the key tells that it is true again.
        back = await client.until("ladder", lambda item: item["data"]["buy"])
        assert back == orjson.loads(sent.body)


async def test_a_gateway_that_comes_late_knows_ladders_and_funding(
    rig: Rig, embedded_redis_url: str
) -> None:
    await rig.feed.ladder(LADDER, depth(pool(CHEAP)))
    await rig.feed.funding({"BTC-USD": {"dydx": FUNDING}})
    late = Gateway(embedded_redis_url, NO_DATABASE, rates=UNLIMITED)
    listener = listen("127.0.0.1", 0, shared=False)
    stop = asyncio.Event()
    serving = asyncio.create_task(late.run(listener, stop))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as http:
            await eventually(lambda: http.get("/v1/markets"), lambda answer: answer.is_success)
        async with Client(url, ["websocket"]) as client:

            async def known() -> Any:
                return await client.subscribe(BTC, "funding")

            found = await eventually(known, lambda rooms: rooms["funding"]["data"])
            assert found[BTC]["data"] == LADDER
            assert found["funding"]["data"] == {"BTC-USD": {"dydx": FUNDING}}
    finally:
        stop.set()
        await serving


# Funding ------------------------------------------------------------------------------------------

FUNDING: dict[str, Any] = {
    "raw": "0.0001",
    "interval_hours": 1,
    "per_hour": "0.0001",
    "per_8h": "0.0008",
    "apr": "0.876",
    "next_at": None,
    "oi_long_usd": "5",
    "oi_short_usd": "5",
    "pool": None,
    "short_per_hour": "0.0001",
    "borrow_long_per_hour": None,
    "borrow_short_per_hour": None,
    "available_long_usd": None,
    "available_short_usd": None,
    "pools": [],
}


def told(per_hour: str, **more: Any) -> dict[str, Any]:
    return FUNDING | {"per_hour": per_hour, "short_per_hour": per_hour} | more


async def funded(rig: Rig) -> None:
    pools = [
        told("0.0002", pool="A", short_per_hour="0.0001"),
        told("-0.00005", pool="B", borrow_short_per_hour="0.00002"),
    ]
    for each in pools:
        del each["pools"]
    await rig.feed.funding(
        {"BTC-USD": {"dydx": told("0.0001"), "gmx": told("0.0002", pools=pools)}}
    )
    await rig.feed.funding({"ETH-USD": {"dydx": told("0.00015")}})
    await eventually(
        lambda: rig.http.get("/v1/funding"), lambda answer: len(answer.json()["data"]) == 4
    )


async def places(rig: Rig, **params: str) -> list[tuple[str, str, str | None, str]]:
    answer = await rig.http.get("/v1/funding", params=params)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["data"]
    return [(row["market"], row["venue"], row["pool"], row["carry_bps"]) for row in rows]


async def test_the_cheapest_place_comes_first(rig: Rig) -> None:
    await funded(rig)
    assert await places(rig, hours="10") == [
        ("BTC-USD", "gmx", "B", "-5"),
        ("BTC-USD", "dydx", None, "10"),
        ("ETH-USD", "dydx", None, "15"),
        ("BTC-USD", "gmx", "A", "20"),
    ]
    assert await places(rig, side="short", hours="10", market="BTC-USD") == [
        ("BTC-USD", "dydx", None, "-10"),
        ("BTC-USD", "gmx", "A", "-10"),
        ("BTC-USD", "gmx", "B", "7"),
    ]
    by_name = await places(rig, sort="market", hours="0.5")
    assert [row[:3] for row in by_name] == [
        ("BTC-USD", "dydx", None), ("BTC-USD", "gmx", "A"), ("BTC-USD", "gmx", "B"),
        ("ETH-USD", "dydx", None),
    ]  # fmt: skip


async def test_rows_have_all_that_is_known_and_their_parts(rig: Rig) -> None:
    await funded(rig)
    answer = await rig.http.get("/v1/funding?side=short&market=BTC-USD&sort=market")
    row = answer.json()["data"][2]
    expected = told("-0.00005", pool="B", borrow_short_per_hour="0.00002")
    del expected["pools"]
    assert row == {"market": "BTC-USD", "venue": "gmx", **expected} | {
        "funding_bps": "12",
        "borrow_bps": "4.8",
        "carry_bps": "16.8",
    }


@pytest.mark.parametrize("sort", ["cost", "market"])
async def test_places_come_in_pages(rig: Rig, sort: str) -> None:
    await funded(rig)
    every = await places(rig, sort=sort)
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        params = {"limit": "1", "sort": sort, **cursor}
        answer = (await rig.http.get("/v1/funding", params=params)).json()
        found += [(row["market"], row["venue"], row["pool"]) for row in answer["data"]]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert found == [row[:3] for row in every]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("side=LONG", "UNKNOWN_SIDE"), ("side=", "UNKNOWN_SIDE"), ("sort=carry", "UNKNOWN_SORT"),
        ("hours=0", "OUT_OF_RANGE"), ("hours=-1", "OUT_OF_RANGE"), ("hours=x", "OUT_OF_RANGE"),
        ("hours=8761", "OUT_OF_RANGE"), ("hours=1e2", "OUT_OF_RANGE"), ("hours=", "OUT_OF_RANGE"),
        ("limit=0", "OUT_OF_RANGE"), ("cursor=a", "BAD_CURSOR"), ("venue=gmx", "UNKNOWN_PARAMETER"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_of_funding(rig: Rig, query: str, code: str) -> None:
    problem = check_problem(await rig.http.get(f"/v1/funding?{query}"), 422, "INVALID_REQUEST")
    assert [issue["code"] for issue in problem["issues"]] == [code]


async def test_funding_of_nobody(rig: Rig) -> None:
    assert await places(rig) == []
    check_problem(await rig.http.get("/v1/funding?market=NONE-USD"), 404, "UNKNOWN_MARKET")
    rig.feed.muted = True
    silent = await eventually(
        lambda: rig.http.get("/v1/funding"), lambda answer: answer.status_code == 503
    )
    check_problem(silent, 503, "FEED_UNAVAILABLE")
