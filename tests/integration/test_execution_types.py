"""Orders of every type through a running sandbox, to the answer of the venue's keeper; most of them
by REST alone. And transactions that a wallet sends by itself, older or later than what it was
shown."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any, Final

import orjson
import pytest

from db import orders, tx_attempts
from domain.amendments import Amendment
from runtime.channels import quote_key
from tests.integration.changes_kit import ask, changes, told
from tests.integration.execution_kit import (
    ETH_MARKET,
    GMX,
    Desk,
    opened_desk,
    trading_program,
    until,
)
from tests.integration.program_kit import Program
from tests.integration.rest_trader_kit import Place, RestTrader, signed_in_trader, times

pytestmark = pytest.mark.timeout(180)

# On two chains: one wallet then has no nonce that is asked for twice.
PLACES: Final = (Place("gmx", 42161, ETH_MARKET), Place("gains", 137, "137:USDC"))
FOREX: Final = Place("gains", 42161, "42161:USDC")
OPENING: Final = {
    "market": "ETH-USD",
    "side": "BUY",
    "intent": "open",
    "notional_usd": "1000",
    "collateral": {"symbol": "USDC", "amount": "250"},
}


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with trading_program(PERP_MARKETS="ETH-USD,EUR-USD") as running:
        yield running


@pytest.fixture
async def desk(program: Program) -> AsyncIterator[Desk]:
    async with opened_desk(program) as found:
        yield found


@pytest.fixture
async def trader(program: Program, desk: Desk) -> AsyncIterator[RestTrader]:
    async with signed_in_trader(program.url, desk) as found:
        yield found


async def test_an_older_step_that_its_wallet_sends_places_what_it_says(desk: Desk) -> None:
    """The order was changed after it was handed out: the venue has the old terms, and is asked for
    the new ones. The new step of the same nonce can never land."""
    price = await desk.price("ETH-USD")
    limit = (price * Decimal("0.8")).quantize(Decimal(1))
    leg = await desk.leg(*GMX, guard_price=limit, expected_price=limit)
    new = await desk.accept(leg, type="limit", limit_price=limit, life_s=120)
    await desk.submit(new, "approve")
    older = await desk.step(new, "order")
    await ask(desk, new, Amendment(limit_price=limit - 7))
    await changes(desk, new, "applied")
    _, raw = desk.signed(older)
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{raw.hex()}")
    row = await desk.state(new, "working")
    assert row.new.intent.limit_price == limit
    await changes(desk, new, "asked")
    await desk.submit(new, "update")
    await changes(desk, new, "applied")
    row = await desk.read(new)
    assert row.new.intent.limit_price == row.new.leg.guard_price == limit - 7
    assert "doubled" not in await told(desk, new)


async def test_what_lands_after_the_end_is_told(desk: Desk) -> None:
    """The wallet sends the same calldata again, under a nonce of its own, when all is over."""
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    approve = await desk.step(new, "approve")
    await desk.submit(new, "approve")
    order = await desk.step(new, "order")
    await desk.submit(new, "order")
    await desk.state(new, "filled")
    before = await desk.final(new)
    nonce = int(order.new.payload["nonce"])
    _, raw = desk.signed(approve, nonce=nonce + 1)
    again, later = desk.signed(order, nonce=nonce + 2)
    for sent in (raw, later):
        await desk.rpc(42161, "eth_sendRawTransaction", f"0x{sent.hex()}")

    async def late() -> bool | None:
        return True if (await desk.read(new)).version > before.version else None

    await until(late, "the second landing to be told")
    row = await desk.read(new)
    assert (row.state, row.final, row.version) == ("filled", True, before.version + 1)
    assert (await orders.history(desk.connection, new.id))[-1].type == "landed_late"
    attempts = await tx_attempts.of_order(desk.connection, new.id)
    assert again in {item.tx_hash for item in attempts if item.status == "mined"}
    audited = "SELECT data FROM audit WHERE subject = $1 AND action = 'landed_late'"
    assert again in await desk.connection.fetchval(audited, new.id)


async def test_chains_are_told_by_number(trader: RestTrader) -> None:
    """But those of dYdX, which have names; a route is asked for by the same."""

    async def listed() -> Any:
        answer = await trader.ask("GET", "/v1/markets/ETH-USD")
        venues = answer.json()["data"]["venues"] if answer.is_success else {}
        return venues if {"gmx", "gains"} <= set(venues) else None

    venues = await until(listed, "both venues to list the market")
    assert venues["gmx"]["chain_ids"] == [42161]
    assert venues["gains"]["chain_ids"] == [42161, 137, 8453]
    offered = await trader.done("GET", "/v1/capabilities")
    for name in ("gmx", "gains"):
        assert sorted(offered[name]["chain_ids"]) == sorted(venues[name]["chain_ids"])


async def move(desk: Desk, price: str) -> None:
    """Both oracles have it: that of GMX up to a second later."""
    least = Decimal(price) * Decimal("0.998")
    await desk.control("/prices", {"ETH-USD": price})

    async def moved() -> bool | None:
        raw = await desk.redis.get(quote_key("ETH-USD"))
        venues = {} if raw is None else orjson.loads(raw)["data"]["venues"]
        gains = Decimal(venues.get("gains", {}).get("ask") or 0)
        return True if gains > least and await desk.gmx_price("ETH") > least else None

    await until(moved, f"the oracles at {price}")


async def each(
    trader: RestTrader, body: dict[str, Any], *wanted: str, **more: Any
) -> list[dict[str, Any]]:
    """The same order at every venue at once, followed."""

    async def one(place: Place) -> dict[str, Any]:
        return await trader.follow(await trader.order(place, body), *wanted, **more)

    return await asyncio.gather(*map(one, PLACES))


async def test_stop_entries_and_take_profits_wait_for_their_price(
    desk: Desk, trader: RestTrader
) -> None:
    price = await desk.price("ETH-USD")
    trigger = times(price, "1.01")
    stop = {**OPENING, "type": "stop", "trigger_price": trigger, "slippage_bps": "150"}
    entries = await each(trader, stop, "working", bare=True)
    assert [order["venue_state"] for order in entries] == ["created"] * 2
    assert [(order["type"], order["fills"]) for order in entries] == [("stop", [])] * 2
    await move(desk, times(price, "1.015"))
    entries = await asyncio.gather(*(trader.follow(order, "filled") for order in entries))
    for order in entries:
        [fill] = order["fills"]
        assert Decimal(trigger) * Decimal("0.999") < Decimal(fill["price"])
        assert Decimal(fill["price"]) <= Decimal(order["guard_price"])
    target = times(price, "1.025")
    profit = {
        "market": "ETH-USD", "side": "SELL", "intent": "close", "type": "take_profit",
        "trigger_price": target, "slippage_bps": "150", "reduce_only": True,
    }  # fmt: skip
    exits = await each(trader, profit, "working")
    assert [(order["type"], order["fills"]) for order in exits] == [("take_profit", [])] * 2
    await move(desk, times(price, "1.03"))
    exits = await asyncio.gather(*(trader.follow(order, "filled") for order in exits))
    for order, entry in zip(exits, entries, strict=True):
        assert Decimal(order["average_price"]) > Decimal(target) * Decimal("0.985")
        assert order["filled_base"] == entry["filled_base"]
    closing = profit | {"type": "market", "trigger_price": None}
    for place in PLACES:
        await trader.left_out(place, closing, "NO_POSITION")


async def test_a_guard_that_is_too_tight_is_refused_before_it_is_signed_and_by_the_keeper(
    desk: Desk, trader: RestTrader
) -> None:
    price = await desk.price("ETH-USD")
    tight = {**OPENING, "type": "market", "limit_price": times(price, "0.99")}
    for place in PLACES:
        await trader.left_out(place, tight, "GUARD_TOO_TIGHT")
    await desk.control("/keeper", {"mode": "hold"})
    try:
        fair = {**OPENING, "type": "market", "slippage_bps": "30"}
        made = await each(trader, fair, "working")
        await move(desk, times(await desk.price("ETH-USD"), "1.01"))
    finally:
        await desk.control("/keeper", {"mode": "auto"})
    gmx, gains = await asyncio.gather(*(trader.follow(order, "cancelled") for order in made))
    assert gmx["reason"]["venue_code"] == "OrderNotFulfillableAtAcceptablePrice"
    assert gains["reason"]["venue_code"] == "SLIPPAGE"
    for order in (gmx, gains):
        assert (order["fills"], order["filled_base"], order["terminal"]) == ([], "0", True)


async def test_a_market_out_of_hours_is_refused_and_what_was_signed_waits(
    desk: Desk, trader: RestTrader
) -> None:
    """Forex at Gains, which has no leverage below ten; held open and closed whatever the day is."""
    body = {
        "market": "EUR-USD", "side": "BUY", "intent": "open", "type": "market",
        "notional_usd": "3000", "leverage": "20", "collateral": {"symbol": "USDC"},
    }  # fmt: skip
    await desk.control("/hours", {"forex": "open"})
    try:
        await trader.left_out(FOREX, body | {"leverage": "5"}, "MIN_LEVERAGE")
        await trader.follow(await trader.order(FOREX, body), "filled")
        signed = await trader.ready(await trader.order(FOREX, body), "order")
        await desk.control("/hours", {"forex": "closed"})

        async def closed() -> bool | None:
            answer = await trader.ask("POST", "/v1/routes", body)
            code = None if answer.is_success else answer.json()["code"]
            return True if code == "MARKET_CLOSED" else None

        await until(closed, "the market to be closed")
        waiting = await trader.follow(signed, "working")
        assert (waiting["venue_state"], waiting["fills"]) == ("created", [])
        await desk.control("/hours", {"forex": "open"})
        late = await trader.follow(waiting, "filled")
        assert Decimal(late["filled_base"]) > 0
    finally:
        await desk.control("/hours", {"forex": "clock"})


async def test_a_market_that_is_paused_while_an_order_waits_has_it_cancelled(
    desk: Desk, trader: RestTrader
) -> None:
    """GMX trades crypto at all hours, and pauses markets. The last one: the feed forgets the market
    for as long."""
    await desk.control("/keeper", {"mode": "hold"})
    try:
        body = {**OPENING, "type": "market", "slippage_bps": "300"}
        made = await trader.follow(await trader.order(PLACES[0], body), "working")
        fault = {"venue": "gmx", "kind": "delist", "market": "ETH-USD", "seconds": 20}
        await desk.control("/faults", fault)
    finally:
        await desk.control("/keeper", {"mode": "auto"})
    order = await trader.follow(made, "cancelled")
    assert (order["reason"]["code"], order["fills"]) == ("MARKET_CLOSED", [])
    assert order["reason"]["venue_code"] == "DisabledMarket"
