"""Routes and guarded quotes through the gateway, over real Redis and Postgres."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from db.guarded_quotes import read
from tests.integration.auth_kit import Wallet, running
from tests.integration.gateway_kit import NO_DATABASE, Rig, running_gateway
from tests.integration.test_gateway_ladders import CHEAP, LADDER, depth, pool
from tests.integration.test_gateway_rest import check_problem

BODY = {
    "market": "BTC-USD",
    "side": "BUY",
    "intent": "open",
    "type": "market",
    "notional_usd": "1000",
    "leverage": "10",
}
ROUTE = "dydx:dydx-mainnet-1:-:USDC"


@pytest.fixture
async def rig(embedded_redis_url: str, database_url: str) -> AsyncIterator[Rig]:
    async with running(embedded_redis_url, database_url) as running_rig:
        await running_rig.feed.ladder(LADDER, depth(pool(CHEAP)))
        yield running_rig


async def signed_in(rig: Rig) -> dict[str, str]:
    grant = await Wallet(rig.http).grant()
    return {"Authorization": f"Bearer {grant['access_token']}"}


async def ask(rig: Rig, path: str = "/v1/routes", **more: Any) -> httpx.Response:
    headers = more.pop("headers", None)
    return await rig.http.post(path, json=BODY | more, headers=headers)


async def test_anybody_may_ask_for_routes(rig: Rig) -> None:
    answer = await ask(rig)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["best"] == ROUTE
    [route] = data["routes"]
    assert (route["venue"], route["notional_usd"], route["collateral_amount"]) == (
        "dydx", "1000", "100",
    )  # fmt: skip
    # 1000 against 1001 at the touch, and 5 bps.
    assert route["expected_price"] == "1001"
    assert route["guard"] == {"field": "price", "price": "1006", "raw": "1006"}
    assert data["excluded"][0]["code"] == "STALE"
    assert data["split"] == [{"route_id": ROUTE, "share_bps": 10_000}]


async def test_needs_are_of_whoever_asks(rig: Rig) -> None:
    [route] = (await ask(rig)).json()["data"]["routes"]
    assert (route["needs"], route["needs_known"]) == ([], False)
    mine = await signed_in(rig)
    answer = await ask(rig, headers=mine)
    assert answer.status_code == 200, answer.text
    [route] = answer.json()["data"]["routes"]
    # An account of a key of Ethereum has shown none of dYdX.
    assert [each["code"] for each in route["needs"]] == ["LINK_WALLET"]
    assert route["needs_known"] is True
    check_problem(await ask(rig, headers={"Authorization": "Bearer x"}), 401, "TOKEN_INVALID")


async def test_what_is_wrong_is_named(rig: Rig) -> None:
    for more, path in (
        ({"side": "buy"}, "body.side"),
        ({"notional_usd": "1e3"}, "body.notional_usd"),
        ({"x": 1}, "body.x"),
        ({"leverage": "0"}, "body"),
        ({"collateral": {"amount": 5}}, "body.collateral.amount"),
    ):
        answer = await ask(rig, **more)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert path in [issue["path"] for issue in answer.json()["issues"]]
    check_problem(await ask(rig, market="NONE-USD"), 404, "UNKNOWN_MARKET")
    await rig.feed.drop_ladder()
    check_problem(await ask(rig), 503, "QUOTE_STALE")


async def test_a_guarded_quote_is_kept_for_its_owner(rig: Rig, database_url: str) -> None:
    path = "/v1/guarded-quotes"
    check_problem(await ask(rig, path, route_id=ROUTE), 401, "TOKEN_MISSING")
    mine, other = await signed_in(rig), await signed_in(rig)
    answer = await ask(rig, path, route_id=ROUTE, headers=mine)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    [leg] = data["legs"]
    assert leg["route_id"] == ROUTE
    decision = data["decision"]
    assert (decision["best"], decision["reference_price"]) == (ROUTE, "1000")
    assert (decision["routes"], decision["excluded"]) == ([leg], data["excluded"])
    assert answer.headers["Location"] == f"{path}/{data['quote_id']}"
    again = await rig.http.get(answer.headers["Location"], headers=mine)
    assert again.json()["data"] == data
    check_problem(await rig.http.get(answer.headers["Location"], headers=other), 404, "NOT_FOUND")
    check_problem(await rig.http.get(f"{path}/x", headers=mine), 404, "NOT_FOUND")
    gone = ROUTE.replace("dydx-mainnet-1", "dydx-testnet-4")
    check_problem(await ask(rig, path, route_id=gone, headers=mine), 409, "ROUTE_GONE")
    connection = await asyncpg.connect(database_url)
    try:
        account_id = await connection.fetchval(
            "SELECT account_id FROM guarded_quotes WHERE id = $1", data["quote_id"]
        )
        kept = await read(connection, str(account_id), data["quote_id"])
    finally:
        await connection.close()
    assert kept is not None
    assert (kept.expires_at - kept.created_at).total_seconds() == 10
    assert str(kept.legs[0].leg.guard_price) == "1006.005000000000000000"


async def test_a_quote_without_a_route_is_the_best_split(rig: Rig) -> None:
    mine = await signed_in(rig)
    more = {"notional_usd": "60000", "max_legs": 2}
    answer = await ask(rig, "/v1/guarded-quotes", headers=mine, **more)
    assert answer.status_code == 201, answer.text
    [leg] = answer.json()["data"]["legs"]
    assert (leg["route_id"], leg["notional_usd"]) == (ROUTE, "60000")


async def test_without_postgres_there_are_routes_and_no_quotes(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url, database_url=NO_DATABASE) as rig:
        await rig.feed.ladder(LADDER, depth(pool(CHEAP)))
        assert (await ask(rig)).status_code == 200
