"""What an account says about all of its orders, and claims: flatten and the heartbeat, over real
Redis and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from connectors.registry import ECONOMICS
from db import held, kept, orders
from db.instants import instant
from domain.ids import VenueId
from domain.orders import OrderIntent
from domain.outcomes import Kept
from execution.heartbeats import lapse_all
from execution.lifecycle import Seen, Step, Undone
from execution.store import record
from runtime.clock import wall_us
from tests.integration import gateway_kit
from tests.integration.auth_kit import issue_codes, running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import (
    ADDRESS,
    INTENT,
    LEG,
    POOL_CLAIM,
    executed,
    mined,
    place,
    pool_of,
)
from tests.integration.test_gateway_ladders import LADDER
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import PATH, Trader, trader
from tests.unit.connectors.gains.economics.pools import POOL

GAINS = replace(LEG, venue=VenueId("gains"), pool="42161:USDC")
BEAT = "/v1/heartbeat"


@pytest.fixture
async def rig(
    embedded_redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    plain = gateway_kit.market_row

    def with_gains(market: str) -> dict[str, Any]:
        row = plain(market)
        row["venues"]["gains"] = {"chain_ids": [42161], "max_leverage": "150"}
        return row

    monkeypatch.setattr(gateway_kit, "market_row", with_gains)
    async with running(embedded_redis_url, database_url) as found:
        yield found


async def priced(rig: Rig) -> None:
    """Gains at 100,000; nothing is known of GMX."""
    pool = {
        "venue": "gains", "pool": "42161:USDC", "decimals": 10, "gas_usd": None,
        "execution_fee_usd": "0", "sides": ["BUY", "SELL"],
        "inputs": ECONOMICS[VenueId("gains")].encode(POOL),
    }  # fmt: skip
    excluded = [{"venue": "gmx", "reason": "STALE"}]
    await rig.feed.ladder(LADDER, {"mid": "100000", "pools": [pool], "excluded": excluded})


async def filled(
    me: Trader,
    leg: Any = LEG,
    intent: OrderIntent = INTENT,
    *,
    size: str = "0.0103",
    ref: str | None = None,
) -> str:
    answer = await me.post(await me.quote(intent, leg))
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["data"]["id"]
    await fill(me, order_id, size, ref)
    return order_id


async def fill(me: Trader, order_id: str, size: str, ref: str | None = None) -> None:
    fact = replace(executed(), size_base=Decimal(size), position_ref=ref)
    events = [Step("prepared"), Step("submitted"), Seen(mined()), Seen(fact)]
    async with me.connection() as connection:
        await record(connection, order_id, events, instant(wall_us()))


async def flatten(me: Trader, key: str = "", **body: Any) -> dict[str, Any]:
    answer = await me.ask("POST", f"{PATH}/flatten", body, key)
    assert answer.status_code == 202, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def skipped(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["venue"], item["code"]) for item in data["skipped"]]


async def ids(me: Trader) -> set[str]:
    return {item["id"] for item in (await me.ask("GET", PATH)).json()["data"]}


# Claims ------------------------------------------------------------------------------------------

PROFIT = {
    "venue": "gains", "chain_id": 42161, "market": "BTC-USD", "pool": "42161:USDC",
    "position_ref": "7", "side": "SHORT", "collateral": {"symbol": "USDC", "amount": "12.5"},
}  # fmt: skip


async def test_a_claim_is_an_order_once_and_no_pause_stops_it(me: Trader) -> None:
    await me.ask("POST", f"{PATH}/pause", {})
    answer = await me.ask("POST", f"{PATH}/claim", POOL_CLAIM, "claim")
    assert answer.status_code == 202, answer.text
    data = answer.json()["data"]
    assert answer.headers["Location"] == f"{PATH}/{data['id']}"
    assert (data["intent"], data["type"], data["state"]) == ("claim", "market", "accepted")
    assert (data["size_base"], data["guard_price"], data["claims"]) == ("0", None, [])
    assert (data["group_id"], data["owner"]) == (data["id"], me.wallet.key.address)
    again = await me.ask("POST", f"{PATH}/claim", POOL_CLAIM, "claim")
    assert (again.status_code, again.content) == (202, answer.content)
    check_problem(
        await me.ask("POST", f"{PATH}/claim", PROFIT, "claim"), 422, "IDEMPOTENCY_MISMATCH"
    )
    assert await me.read(data["id"]) == data
    assert await me.count("outbox", data["id"]) == 1

    profit = (await me.ask("POST", f"{PATH}/claim", PROFIT)).json()["data"]
    assert (profit["venue"], profit["side"], profit["size_base"]) == ("gains", "BUY", "0")
    async with me.connection() as connection:
        row = await orders.read(connection, profit["id"])
    assert row is not None
    assert row.new.intent.position_side == "SHORT"
    leg = row.new.leg
    assert (leg.position_ref, leg.collateral_symbol) == ("7", "USDC")
    assert leg.collateral_amount == row.new.intent.collateral_amount == Decimal("12.5")


async def test_what_is_no_claim_is_refused_and_not_stored(me: Trader) -> None:
    before = await ids(me)
    for base, more, path, code in (
        (POOL_CLAIM, {"position_ref": "7"}, "body.position_ref", "NOT_USED"),
        (POOL_CLAIM, {"side": "LONG"}, "body.side", "NOT_USED"),
        (POOL_CLAIM, {"collateral": {"symbol": "USDC"}}, "body.collateral", "NOT_USED"),
        (POOL_CLAIM, {"collateral": {"amount": "1"}}, "body.collateral.amount", "BAD_AMOUNT"),
        (POOL_CLAIM, {"chain_id": "42161"}, "body.chain_id", "WRONG_TYPE"),
        (POOL_CLAIM, {"size_base": "1"}, "body.size_base", "UNKNOWN_FIELD"),
        (PROFIT, {"position_ref": None}, "body.position_ref", "MISSING"),
        (PROFIT, {"side": None}, "body.side", "MISSING"),
        (PROFIT, {"side": "BUY"}, "body.side", "UNKNOWN_SIDE"),
        (PROFIT, {"collateral": None}, "body.collateral", "MISSING"),
        (PROFIT, {"collateral": {"symbol": "USDC", "amount": "0"}}, "body.collateral.amount",
         "BAD_AMOUNT"),
        (PROFIT, {"deadline": "2020-01-01T00:00:00Z"}, "body.deadline", "OUT_OF_RANGE"),
    ):  # fmt: skip
        answer = await me.ask("POST", f"{PATH}/claim", base | more)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert (path, code) in issue_codes(answer), (more, answer.text)
    for more in ({"venue": "dydx"}, {"chain_id": 1}):
        answer = await me.ask("POST", f"{PATH}/claim", POOL_CLAIM | more)
        check_problem(answer, 422, "NOT_SUPPORTED")
    unknown = await me.ask("POST", f"{PATH}/claim", POOL_CLAIM | {"market": "NONE-USD"})
    check_problem(unknown, 404, "UNKNOWN_MARKET")
    assert await ids(me) == before


async def test_what_was_kept_of_a_close_is_told_and_known_to_a_claim(me: Trader) -> None:
    close = replace(INTENT, intent="close", side="SELL", notional_usd=None, leverage=None)
    order_id = await filled(me, intent=close)
    for log, hour in ((5, 498_611), (6, 498_612)):
        fact = Kept(place(7, log), ADDRESS, "key", f"0xusdc:{hour}", "USDC", Decimal("2.50"))
        async with me.connection() as connection:
            await record(connection, order_id, [Seen(fact)], instant(wall_us()))
    shown = await me.read(order_id)
    assert [(item["symbol"], item["amount"]) for item in shown["kept"]] == [("USDC", "2.5")] * 2
    data = (await me.ask("POST", f"{PATH}/claim", POOL_CLAIM)).json()["data"]
    async with me.connection() as connection:
        row = await orders.read(connection, data["id"])
        assert row is not None
        assert await kept.names(connection, row.new) == ("0xusdc:498611", "0xusdc:498612")
        other = row.new._replace(leg=replace(row.new.leg, pool="0x48"))
        assert await kept.names(connection, other) == ()
        await record(connection, order_id, [Undone(fact.place)], instant(wall_us()))
        assert await kept.names(connection, row.new) == ("0xusdc:498611",)


# Flatten -----------------------------------------------------------------------------------------


async def test_each_position_gets_an_order_that_closes_it(me: Trader, rig: Rig) -> None:
    await priced(rig)
    await filled(me, GAINS, size="0.02", ref="7")
    await filled(me)
    await me.ask("POST", f"{PATH}/pause", {})
    data = await flatten(me, "all")
    assert skipped(data) == [("gmx", "STALE")]
    [order] = data["orders"]
    assert (order["venue"], order["side"], order["intent"]) == ("gains", "SELL", "close")
    assert (order["size_base"], order["type"], order["state"]) == ("0.02", "market", "accepted")
    assert Decimal("99000") < Decimal(order["guard_price"]) < Decimal("99900")
    assert await me.read(order["id"]) == order
    assert await me.count("outbox", order["id"]) == 1
    async with me.connection() as connection:
        row = await orders.read(connection, order["id"])
    assert row is not None
    assert (row.new.leg.position_ref, row.new.leg.collateral_amount) == ("7", None)
    assert (row.new.intent.reduce_only, row.new.intent.size_base) == (True, None)
    # Again: as it was under the key, and nothing is closed twice.
    assert await flatten(me, "all") == data
    assert skipped(await flatten(me)) == [("gains", "CLOSING"), ("gmx", "STALE")]
    await fill(me, order["id"], "0.019", "7")
    assert skipped(await flatten(me)) == [("gmx", "STALE")]


async def test_what_has_no_price_is_closed_at_any_price_when_that_is_said(me: Trader) -> None:
    await filled(me)
    assert skipped(await flatten(me)) == [("gmx", "QUOTE_STALE")]
    [order] = (await flatten(me, any_price=True))["orders"]
    assert (order["venue"], order["side"], order["guard_price"]) == ("gmx", "SELL", None)
    assert order["size_base"] == "0.0103"


async def test_only_what_is_asked_for_is_closed(me: Trader, rig: Rig, database_url: str) -> None:
    await filled(me)
    before = await ids(me)
    for body in ({"market": "ETH-USD"}, {"venue": "gains"}):
        data = await flatten(me, any_price=True, **body)
        assert (data["orders"], data["skipped"]) == ([], [])
        # No node is known here.
        assert {row["source"] for row in data["sources"]} == {"fills"}
    for path in (f"{PATH}/flatten", f"{PATH}/cancel-all"):
        unknown = await me.ask("POST", path, {"market": "NONE-USD"})
        check_problem(unknown, 404, "UNKNOWN_MARKET")
        refused = await me.ask("POST", path, {"venue": "binance"})
        check_problem(refused, 422, "INVALID_REQUEST")
        assert issue_codes(refused) == [("body.venue", "UNKNOWN_VENUE")]
    for bad in ("10000", "-1", 50, "1e3"):
        refused = await me.ask("POST", f"{PATH}/flatten", {"slippage_bps": bad})
        check_problem(refused, 422, "INVALID_REQUEST")
    other = await trader(rig, database_url)
    assert (await flatten(other, any_price=True))["orders"] == []
    assert await ids(me) == before


async def test_holdings_are_what_fills_opened_less_what_they_closed(me: Trader) -> None:
    short = replace(INTENT, side="SELL")
    part = replace(
        INTENT, side="SELL", intent="decrease", leverage=None, notional_usd=None,
        size_base=Decimal("0.01"),
    )  # fmt: skip
    whole = replace(INTENT, side="SELL", intent="close", leverage=None, notional_usd=None)
    more = replace(INTENT, intent="increase", leverage=None)
    await filled(me, size="0.03", ref="0xa")
    await filled(me, intent=part, size="0.01", ref="0xa")
    await filled(me, intent=short, size="0.5", ref="0xb")
    # Enlarged at another price and closed: what seems left of it is not there.
    await filled(me, GAINS, size="0.02", ref="3")
    await filled(me, GAINS, more, size="0.02", ref="3")
    await filled(me, replace(GAINS, position_ref="3"), whole, size="0.0399", ref="3")
    async with me.connection() as connection:
        found = await held.read(connection, me.account_id, None, None)
        rows = {(item.venue, item.side, item.size_base) for item in found}
        assert rows == {("gmx", "LONG", Decimal("0.02")), ("gmx", "SHORT", Decimal("0.5"))}
        assert {item.entry_price for item in found} == {executed().price}
        assert await held.read(connection, me.account_id, "ETH-USD", None) == []


# Heartbeat ---------------------------------------------------------------------------------------


async def beat(me: Trader, timeout_s: int) -> dict[str, Any]:
    answer = await me.ask("PUT", BEAT, {"timeout_s": timeout_s}, None)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def overdue(me: Trader) -> None:
    """Nothing was heard for longer than was said."""
    async with me.connection() as connection:
        done = await connection.execute(
            "UPDATE heartbeats SET due_at = now() - interval '1 second' "
            "WHERE account_id = $1 AND due_at IS NOT NULL",
            me.account_id,
        )
    assert done == "UPDATE 1"


async def test_a_missed_heartbeat_cancels_once(me: Trader, rig: Rig, database_url: str) -> None:
    other, off = await trader(rig, database_url), await trader(rig, database_url)
    made, theirs, calm = await me.order(), await other.order(), await off.order()
    ended = await me.order()
    async with me.connection() as connection:
        await record(connection, ended["id"], [Step("withdrawn")], instant(wall_us()))
    ended = await me.read(ended["id"])
    first = await beat(me, 30)
    assert (first["timeout_s"], first["lapsed_at"]) == (30, None)
    assert (await beat(me, 60))["expires_at"] > first["expires_at"]
    await beat(other, 60)
    await beat(off, 60)
    assert (await beat(off, 0))["expires_at"] is None
    async with pool_of(database_url) as database:
        assert await lapse_all(database) == 0
        await overdue(me)
        assert sum(await asyncio.gather(*(lapse_all(database) for _ in range(5)))) == 1
        assert await lapse_all(database) == 0
    shown = await me.read(made["id"])
    assert (shown["cancel_requested"], shown["version"]) == (True, 2)
    assert shown["events"][-1]["type"] == "cancel_requested"
    assert await me.count("outbox", made["id"]) == 2
    assert await me.read(ended["id"]) == ended
    assert await other.read(theirs["id"]) == theirs
    assert await off.read(calm["id"]) == calm
    again = await beat(me, 30)
    assert again["lapsed_at"] is not None
    assert (await me.read((await me.order())["id"]))["cancel_requested"] is False


async def test_a_heartbeat_that_comes_too_late_says_so(me: Trader) -> None:
    made = await me.order()
    await beat(me, 30)
    await overdue(me)
    late = await beat(me, 30)
    assert (await me.read(made["id"]))["cancel_requested"] is True
    assert late["lapsed_at"] is not None
    assert late["expires_at"] > late["lapsed_at"]


async def test_a_lapse_is_all_or_nothing(me: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await me.order()
    await beat(me, 30)
    await overdue(me)

    async def fails(*asked: Any) -> None:
        raise asyncpg.QueryCanceledError(str(len(asked)))

    async with pool_of(me.database_url) as database:
        with monkeypatch.context() as patched:
            patched.setattr("db.heartbeats.order_requests.cancel", fails)
            with pytest.raises(asyncpg.QueryCanceledError):
                await lapse_all(database)
        assert await me.read(made["id"]) == made
        assert await lapse_all(database) == 1
    assert (await me.read(made["id"]))["cancel_requested"] is True


async def test_bad_heartbeats_change_nothing(me: Trader) -> None:
    expires_at = (await beat(me, 60))["expires_at"]
    for bad in (-1, 86_401, "60", 1.5, True, None):
        answer = await me.ask("PUT", BEAT, {"timeout_s": bad})
        check_problem(answer, 422, "INVALID_REQUEST")
    check_problem(await me.ask("PUT", BEAT, {}), 422, "INVALID_REQUEST")
    check_problem(await me.http.put(BEAT, json={"timeout_s": 5}), 401, "TOKEN_MISSING")
    async with me.connection() as connection:
        kept = await connection.fetchval(
            "SELECT due_at FROM heartbeats WHERE account_id = $1", me.account_id
        )
    assert kept.isoformat().startswith(expires_at[:-1])
