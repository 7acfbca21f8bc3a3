"""``/v1/candles`` and the ``candles`` rooms, over a real Redis and Postgres."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.candles import BEST, Tick
from domain.units import E18
from runtime.channels import candles_tape_room
from runtime.clock import iso_ms
from tests.integration.feed_kit import until
from tests.integration.gateway_kit import Client, Rig, running_gateway
from tests.integration.history_kit import database, opened, write
from tests.integration.test_gateway_rest import check_problem

START_US = 1_790_035_200_000_000
MINUTES = 30
WITHIN = {"from": iso_ms(START_US), "to": iso_ms(START_US + MINUTES * 60_000_000)}


def _rates() -> tuple[dict[str, list[bytes]], int, list[int]]:
    """Two spreads within five minutes and one after them; two rates."""
    first, second, third = (iso_ms(START_US + n * 10_000_000) for n in (0, 1, 30))
    later = iso_ms(START_US + 300_000_000)
    spreads = (
        f"{first}\tBTC-USD\tbest\t1\t0\n{second}\tBTC-USD\tbest\t2\t0\n"
        f"{first}\tBTC-USD\tdydx\t3\t-1\n{third}\tBTC-USD\tdydx\t4\t-1\n"
    )
    funding = "".join(
        f"{at}\tBTC-USD\tgmx\ta\t{rate}\t{rate}\t0.5\t\\N\t{interest}\t\\N\n"
        for at, rate, interest in ((first, "0.00001", "7"), (later, "0.00003", "8"))
    )
    parts = {"spread_samples": [spreads.encode()], "funding_samples": [funding.encode()]}
    return parts, 6, [START_US, START_US + 300_000_000]


RATES = _rates()


@pytest.fixture
async def rig(embedded_redis_url: str, embedded_postgres_dsn: str) -> AsyncIterator[Rig]:
    async with database(embedded_postgres_dsn) as url:
        connection, store = await opened(url)
        ticks = [Tick(START_US + n * 20_000_000, (1000 + n) * E18) for n in range(MINUTES * 3)]
        await write(store, "BTC-USD", BEST, ticks)
        await write(store, "BTC-USD", "dydx", ticks[:3])
        await store.write(*RATES)
        await store.roll_up(START_US + 20 * 60_000_000)
        await connection.close()
        async with running_gateway(embedded_redis_url, database_url=url) as running:
            yield running


async def rows(rig: Rig, **params: str) -> list[dict[str, Any]]:
    answer = await rig.http.get("/v1/candles/BTC-USD", params={**WITHIN, **params})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def test_rows_are_as_in_the_room(rig: Rig) -> None:
    every = await rows(rig)
    assert len(every) == MINUTES
    assert every[0] == {
        "t": iso_ms(START_US), "open": "1000", "high": "1002", "low": "1000", "close": "1002",
        "ticks": 3, "closed": True,
    }  # fmt: skip
    assert [row["open"] for row in every] == [str(1000 + 3 * n) for n in range(MINUTES)]
    (hour,) = await rows(rig, interval="1h")
    assert (hour["open"], hour["close"], hour["ticks"]) == ("1000", "1089", 90)
    (venue,) = await rows(rig, interval="1d", venue="dydx")
    assert venue["ticks"] == 3
    assert len(await rows(rig, interval="1s")) == 90


@pytest.mark.parametrize("period", ["1s", "1m", "5m"])
async def test_pages_go_on_in_time(rig: Rig, period: str) -> None:
    whole = await rows(rig, interval=period, limit="1000")
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        params = {**WITHIN, "interval": period, "limit": "4", **cursor}
        answer = (await rig.http.get("/v1/candles/BTC-USD", params=params)).json()
        assert len(answer["data"]) <= 4
        found += answer["data"]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert found == whole


async def test_without_a_beginning_it_is_the_newest_page(rig: Rig) -> None:
    answer = await rig.http.get("/v1/candles/BTC-USD", params={"to": WITHIN["to"], "limit": "3"})
    assert [row["open"] for row in answer.json()["data"]] == ["1081", "1084", "1087"]
    nothing = (await rig.http.get("/v1/candles/ETH-USD")).json()
    assert nothing == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("path", "status", "code", "issue"),
    [
        ("/v1/candles/NOPE-USD", 404, "UNKNOWN_MARKET", None),
        ("/v1/candles/BTC-USD?interval=2m", 422, "INVALID_REQUEST", "UNKNOWN_INTERVAL"),
        ("/v1/candles/BTC-USD?interval=1M", 422, "INVALID_REQUEST", "UNKNOWN_INTERVAL"),
        ("/v1/candles/BTC-USD?interval=", 422, "INVALID_REQUEST", "UNKNOWN_INTERVAL"),
        ("/v1/candles/BTC-USD?venue=nope", 422, "INVALID_REQUEST", "UNKNOWN_VENUE"),
        ("/v1/candles/BTC-USD?venue=%00", 422, "INVALID_REQUEST", "UNKNOWN_VENUE"),
        ("/v1/candles/BTC-USD?from=yesterday", 422, "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/candles/BTC-USD?from=2026-01-02", 422, "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/candles/BTC-USD?from=2026-02-30T00:00Z", 422, "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/candles/BTC-USD?to=1969-12-31T23:59:59Z", 422, "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/candles/BTC-USD?to=9999-12-31T23:59:59Z", 422, "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/candles/BTC-USD?to=%D9%A2026-01-01T00:00Z", 422, "INVALID_REQUEST", "BAD_TIME"),
        (
            "/v1/candles/BTC-USD?from=2026-01-03T00:00Z&to=2026-01-02T00:00Z",
            422, "INVALID_REQUEST", "OUT_OF_RANGE",
        ),
        ("/v1/candles/BTC-USD?limit=0", 422, "INVALID_REQUEST", "OUT_OF_RANGE"),
        ("/v1/candles/BTC-USD?limit=1001", 422, "INVALID_REQUEST", "OUT_OF_RANGE"),
        ("/v1/candles/BTC-USD?cursor=x", 422, "INVALID_REQUEST", "BAD_CURSOR"),
        ("/v1/candles/BTC-USD?cursor=LTE", 422, "INVALID_REQUEST", "BAD_CURSOR"),
        ("/v1/candles/BTC-USD?since=1", 422, "INVALID_REQUEST", "UNKNOWN_PARAMETER"),
        ("/v1/candles/BTC-USD?to=x&to=y", 422, "INVALID_REQUEST", "REPEATED_PARAMETER"),
    ],
)  # fmt: skip
async def test_bad_input(rig: Rig, path: str, status: int, code: str, issue: str | None) -> None:
    problem = check_problem(await rig.http.get(path), status, code)
    if issue is not None:
        assert [item["code"] for item in problem["issues"]] == [issue]


async def test_spreads_and_funding_of_all_venues_side_by_side(rig: Rig) -> None:
    answer = (await rig.http.get("/v1/history/spread/BTC-USD", params=WITHIN)).json()
    first, second = answer["data"]
    assert (first["t"], first["closed"]) == (iso_ms(START_US), True)
    assert first["venues"]["best"] == {
        "spread_bps": 1.5, "spread_low_bps": 1.0, "spread_high_bps": 2.0, "offset_bps": 0.0,
        "offset_low_bps": 0.0, "offset_high_bps": 0.0, "samples": 2,
    }  # fmt: skip
    assert list(first["venues"]) == ["best", "dydx"]
    page = (
        await rig.http.get("/v1/history/spread/BTC-USD", params={**WITHIN, "limit": "1"})
    ).json()
    assert page["data"] == [first]
    more = {**WITHIN, "limit": "1", "cursor": page["next_cursor"]}
    page = (await rig.http.get("/v1/history/spread/BTC-USD", params=more)).json()
    assert (page["data"], page["next_cursor"]) == ([second], None)
    (hour,) = (await rig.http.get("/v1/history/funding/BTC-USD")).json()["data"]
    assert hour["venues"] == {
        "gmx": [
            {
                "pool": "a", "per_hour": "0.00002", "per_8h": "0.00016", "apr": "0.1752",
                "short_per_hour": "0.00002", "borrow_long_per_hour": "0.5",
                "borrow_short_per_hour": None, "oi_long_usd": "8", "oi_short_usd": None,
                "samples": 2,
            }
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "code", "issue"),
    [
        ("/v1/history/spread/NOPE-USD", "UNKNOWN_MARKET", None),
        ("/v1/history/spread/BTC-USD?interval=1m", "INVALID_REQUEST", "UNKNOWN_INTERVAL"),
        ("/v1/history/funding/BTC-USD?interval=5m", "INVALID_REQUEST", "UNKNOWN_INTERVAL"),
        ("/v1/history/funding/BTC-USD?venue=gmx", "INVALID_REQUEST", "UNKNOWN_PARAMETER"),
        ("/v1/history/funding/BTC-USD?from=x", "INVALID_REQUEST", "BAD_TIME"),
        ("/v1/history/spread/BTC-USD?cursor=x", "INVALID_REQUEST", "BAD_CURSOR"),
    ],
)
async def test_bad_input_of_histories(rig: Rig, path: str, code: str, issue: str | None) -> None:
    problem = check_problem(await rig.http.get(path), 422 if issue else 404, code)
    if issue is not None:
        assert [item["code"] for item in problem["issues"]] == [issue]


async def test_without_a_database_it_is_said_and_prices_go_on(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url) as running:
        check_problem(await running.http.get("/v1/candles/BTC-USD"), 503, "DATABASE_UNAVAILABLE")
        assert (await running.http.get("/v1/quotes/BTC-USD")).status_code == 200


async def test_the_room_has_a_snapshot_and_streams_the_forming_candle(rig: Rig) -> None:
    def told(close: str) -> dict[str, Any]:
        row = {"t": iso_ms(START_US), "open": "1", "high": "9", "low": "1", "close": close,
               "ticks": 4, "closed": False}  # fmt: skip
        return {"1m": row, "1h": {**row, "ticks": 40}}

    tape_room = candles_tape_room("BTC-USD")
    rooms = ("candles:BTC-USD:1m", "candles:BTC-USD:1h", "candles:ETH-USD:1m")

    async def is_known() -> bool:
        async with Client(rig.url, ["websocket"]) as early:
            snapshots = await early.subscribe(rooms[0])
            return snapshots[rooms[0]]["data"]["t"] is not None

    await rig.feed.send(rig.feed.envelope(tape_room, told("2"), "timer"))
    await until(is_known, "the candle at the gateway")
    async with Client(rig.url, ["websocket"]) as client:
        snapshots = await client.subscribe(*rooms)
        assert snapshots[rooms[0]]["data"] == told("2")["1m"]
        assert snapshots[rooms[1]]["data"]["ticks"] == 40
        assert snapshots[rooms[2]]["data"]["t"] is None
        await rig.feed.send(rig.feed.envelope(tape_room, told("3"), "timer"))
        got = [await client.next("candles"), await client.next("candles")]
        assert {item["room"] for item in got} == set(rooms[:2])
        assert all(item["data"]["close"] == "3" and item["type"] == "update" for item in got)
        refused = await client.call("subscribe", {"rooms": ["candles:BTC-USD:7m"]})
        assert refused["errors"][0]["code"] == "UNKNOWN_ROOM"
