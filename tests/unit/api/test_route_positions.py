"""Orders that change a position go where it is."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from api.routing.answer import answer_row
from api.routing.needs import nobody
from api.routing.positions import Known
from api.routing.router import Answer, Router
from connectors.base.positions import OpenPosition
from connectors.desks import ROUTES
from connectors.gains.orders.calls import TradeIndex, TradeType
from connectors.gains.orders.reads import StoredTrade
from connectors.registry import ECONOMICS
from db.held import Holding
from domain.ids import MarketId, VenueId
from tests.unit.api.test_router import BODY, BOOK, VENUES, depth, parse, row
from tests.unit.connectors.gains.economics.pools import POOL

GAINS = VenueId("gains")
TWO = {**VENUES, "gains": {"chain_ids": [42161, 137], "max_leverage": "150"}}
BOOK_ROW = row("dydx", None, BOOK)
RAW = depth(row("gains", "42161:USDC", POOL), row("gains", "137:USDC", POOL))
CLOSE = BODY | {"side": "SELL", "intent": "close", "notional_usd": None, "leverage": None}


def position(ref: int, chain_id: int = 42161, *, long: bool = True) -> OpenPosition:
    """0.05 BTC at 10 x."""
    trade = StoredTrade(
        TradeIndex(ref), 0, 3, long, TradeType.TRADE, 500_000_000, 10_000, 100_000 * 10**10, 0, 0, 0
    )
    side = "LONG" if long else "SHORT"
    market = MarketId("BTC-USD")
    return OpenPosition(GAINS, chain_id, str(ref), f"{chain_id}:USDC", market, side, trade)


def told(*positions: OpenPosition) -> Known:
    """Both chains have answered."""
    return Known(
        {
            (GAINS, chain_id): [item for item in positions if item.chain_id == chain_id]
            for chain_id in (42161, 137)
        }
    )


async def route(body: Mapping[str, Any], known: Known) -> Answer:
    return await Router(ECONOMICS, ROUTES).route(parse(body), RAW, TWO, known=known)


def codes(answer: Answer) -> dict[str | None, str]:
    return {item.pool: item.code for item in answer.excluded if item.venue == "gains"}


async def test_a_close_without_a_size_is_of_all_there_is() -> None:
    found = await route(CLOSE, told(position(7, 137)))
    [leg] = found.legs
    assert (leg.leg.pool, leg.leg.position_ref) == ("137:USDC", "7")
    assert (leg.leg.size_base, leg.leg.collateral_amount) == (Decimal("0.05"), None)
    assert codes(found) == {"42161:USDC": "NO_POSITION"}
    [shown] = answer_row(found, nobody)["routes"]
    assert shown["position"] == {
        "position_id": "gains:137:7",
        "source": "chain",
        "size_base": "0.05",
        "entry_price": "100000",
        "collateral_amount": "500",
    }
    # Nothing is known of it: as before.
    assert codes(await route(CLOSE, Known())) == {
        "42161:USDC": "SIZE_UNKNOWN", "137:USDC": "SIZE_UNKNOWN",
    }  # fmt: skip


async def test_no_more_is_closed_than_there_is_and_on_its_side() -> None:
    known = told(position(7), position(8, 137, long=False))
    part = CLOSE | {"intent": "decrease", "size_base": "0.05"}
    [leg] = (await route(part, known)).legs
    assert (leg.leg.position_ref, leg.leg.size_base) == ("7", Decimal("0.05"))
    found = await route(part | {"size_base": "0.0501"}, known)
    assert (found.legs, codes(found)["42161:USDC"]) == ((), "POSITION_SIZE")
    [leg] = (await route(part | {"side": "BUY"}, known)).legs
    assert leg.leg.position_ref == "8"


async def test_of_several_one_has_to_be_named() -> None:
    known = told(position(7), position(9))
    found = await route(CLOSE, known)
    assert codes(found)["42161:USDC"] == "SEVERAL_POSITIONS"
    assert "gains:42161:7, gains:42161:9" in found.excluded[-2].message + found.excluded[-1].message
    [leg] = (await route(CLOSE | {"position_id": "gains:42161:9"}, known)).legs
    assert leg.leg.position_ref == "9"
    found = await route(CLOSE | {"position_id": "gains:42161:5"}, known)
    assert set(codes(found).values()) == {"NO_POSITION"}


async def test_a_name_is_taken_where_nobody_can_say_what_is_held() -> None:
    body = CLOSE | {"size_base": "0.01", "position_id": "gains:137:4"}
    found = await route(body, Known())
    [leg] = found.legs
    assert (leg.leg.pool, leg.leg.position_ref, leg.holding) == ("137:USDC", "4", None)
    assert codes(found) == {"42161:USDC": "NO_POSITION"}


async def test_what_is_added_is_added_to_the_position() -> None:
    body = BODY | {"intent": "increase"}
    found = await route(body, told(position(7)))
    [leg] = found.legs
    assert (leg.leg.position_ref, leg.leg.pool) == ("7", "42161:USDC")
    assert leg.leg.collateral_amount is not None
    # An opening looks for none.
    assert {item.leg.position_ref for item in (await route(BODY, told(position(7)))).legs} == {None}


@pytest.mark.parametrize("ref", ["7", None])
async def test_own_fills_speak_where_the_chain_is_silent(ref: str | None) -> None:
    mine = Holding(
        "0xme", "gains", "42161", "42161:USDC", "BTC-USD", "LONG", "USDC", ref, Decimal("0.02"),
        Decimal(99_000),
    )  # fmt: skip
    known = replace(told(position(8, 137)), fills=[mine])
    del known.chain[GAINS, 42161]  # type: ignore[attr-defined]
    found = await route(CLOSE, known)
    legs = {item.leg.pool: item for item in found.legs}
    assert set(legs) == {"42161:USDC", "137:USDC"}
    assert (legs["42161:USDC"].leg.position_ref, legs["42161:USDC"].leg.size_base) == (
        ref, Decimal("0.02"),
    )  # fmt: skip
    rows = {item["pool"]: item["position"] for item in answer_row(found, nobody)["routes"]}
    assert (rows["42161:USDC"]["source"], rows["137:USDC"]["source"]) == ("fills", "chain")
    assert rows["42161:USDC"]["collateral_amount"] is None


@pytest.mark.parametrize(("intent", "side"), [("increase", "BUY"), ("decrease", "SELL")])
async def test_margin_is_changed_where_the_position_is(intent: str, side: str) -> None:
    """Nothing is traded, so that nothing is paid but what is paid once."""
    body = BODY | {
        "side": side, "intent": intent, "notional_usd": None, "leverage": None,
        "collateral": {"amount": "100.5"},
    }  # fmt: skip
    raw = depth(row("gains", "42161:USDC", POOL), row("gains", "137:USDC", POOL), BOOK_ROW)
    router = Router(ECONOMICS, ROUTES)
    found = await router.route(parse(body), raw, TWO, known=told(position(7)))
    [item] = found.legs
    leg = item.leg
    assert (leg.position_ref, leg.collateral_amount) == ("7", Decimal("100.5"))
    assert (leg.size_base, leg.notional_usd, leg.guard_price) == (0, 0, None)
    assert (item.route.total_cost_usd, item.route.all_in_bps) == (0, 0)
    assert {line.code: line.usd for line in item.route.costs if line.usd} == {}
    assert item.paid is not None
    assert item.paid.units == (100_500_000 if intent == "increase" else 0)
    assert {row.venue: row.code for row in found.excluded if row.venue == "dydx"} == {
        "dydx": "MARGIN"
    }
    assert codes(found)["137:USDC"] == "NO_POSITION"
    # Who is not known holds nothing that is known.
    nobody_s = await route(body, Known())
    assert set(codes(nobody_s).values()) == {"POSITION_UNKNOWN"}
    assert answer_row(found, nobody)["routes"][0]["guard"]["price"] is None


async def test_no_more_margin_comes_out_than_was_put_in() -> None:
    body = BODY | {
        "side": "SELL", "intent": "decrease", "notional_usd": None, "leverage": None,
        "collateral": {"amount": "500"},
    }  # fmt: skip
    assert codes(await route(body, told(position(7))))["42161:USDC"] == "COLLATERAL"
