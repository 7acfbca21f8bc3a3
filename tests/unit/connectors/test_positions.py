"""Positions as the contracts tell them, encoded by nothing of what reads them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode

from connectors.base.markets import load
from connectors.base.positions import OpenPosition
from connectors.desks import position_books
from connectors.gains.constants import VENUE as GAINS
from connectors.gains.economics.position import LiquidationTerms
from connectors.gains.orders.positions import GainsPositions
from connectors.gains.orders.tables import tables
from connectors.gains.routes import ROUTES as GAINS_ROUTES
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.model import ByToken, Sided
from connectors.gmx.economics.opened import PoolToken
from connectors.gmx.orders.positions import GmxPositions
from connectors.gmx.routes import ROUTES as GMX_ROUTES
from domain.costs import OrderSide
from domain.errors import InputError, VenueProtocolError
from domain.ids import MarketId, VenueId
from domain.orders import Intent, OrderIntent, OrderLeg
from runtime.settings import Settings
from tests.unit.connectors.gains.economics.pools import POOL
from tests.unit.connectors.gains.orders.chain import DIAMOND, answer, calldata
from tests.unit.connectors.gmx.orders.kit import ETH_USDC, OWNER, USDC, WETH
from tests.unit.connectors.test_route_liquidation import gmx, gmx_inputs

CHAIN = 42161
GMX = GmxPositions(CHAIN, "v2.2c", contracts(CHAIN, "v2.2c", {}))
NUMBERS = ",".join(["uint256"] * 3 + ["int256"] + ["uint256"] * 6)
POSITION = f"((address,address,address),({NUMBERS}),(bool))"


def stored(token: str, *, is_long: bool, units: int, usd: int = 3_000, posted: int = 10**9) -> Any:
    numbers = (usd * 10**30, units, posted, 0, 0, 0, 0, 0, 0, 0)
    return ((OWNER, ETH_USDC, token), numbers, (is_long,))


def reader_says(*rows: Any) -> bytes:
    return encode([f"{POSITION}[]"], [list(rows)])


def test_gmx_is_asked_on_its_chain_and_names_what_it_has() -> None:
    [call] = GMX.calls(CHAIN, OWNER)
    assert call.to == GMX.contracts["READER"]
    assert GMX.calls(137, OWNER) == []
    rows = [
        stored(USDC, is_long=True, units=10**18),
        stored(WETH, is_long=False, units=5 * 10**17),
        stored(WETH, is_long=True, units=0),
    ]
    long, short = GMX.read(CHAIN, OWNER, [reader_says(*rows)])
    assert (long.pool, long.market, long.side) == (ETH_USDC, None, "LONG")
    assert (short.pool, short.side) == (ETH_USDC, "SHORT")
    assert long.id == f"gmx:42161:{long.ref}"
    assert len(long.ref) == 66
    assert long.ref != short.ref
    for bad in ([None], [b""], [reader_says(*rows)[:-32]]):
        with pytest.raises((InputError, VenueProtocolError)):
            GMX.read(CHAIN, OWNER, bad)


def test_a_position_of_gmx_in_the_terms_of_an_order() -> None:
    case = next(case for case in gmx.LIFECYCLES if case["market"] == "ETH")
    inputs, _ = gmx_inputs(case)
    assert inputs.terms.posted is not None
    posted = replace(inputs.terms.posted, long_token=PoolToken(WETH, "ETH", 18))
    inputs = replace(inputs, terms=replace(inputs.terms, posted=posted))
    usdc, weth = GMX.read(
        CHAIN,
        OWNER,
        [
            reader_says(
                stored(posted.short_token.address, is_long=True, units=10**18),
                stored(posted.long_token.address, is_long=False, units=10**18),
            )
        ],
    )
    found = GMX_ROUTES.holding(inputs, usdc)
    assert (found.collateral, found.collateral_amount) == ("USDC", Decimal(1000))
    assert (found.size_base, found.entry_price, found.position) == (Decimal(1), Decimal(3000), usdc)
    ether = GMX_ROUTES.holding(inputs, weth)
    assert (ether.collateral, ether.called) == ("ETH", {"ETH", "WETH"})
    [other] = GMX.read(CHAIN, OWNER, [reader_says(stored("0x" + "7" * 40, is_long=True, units=1))])
    with pytest.raises(InputError):
        GMX_ROUTES.holding(inputs, other)


TRADE = {
    "user": "0x" + "1" * 40, "index": 7, "pairIndex": 0, "leverage": 10_000, "long": True,
    "isOpen": True, "collateralIndex": 3, "tradeType": 0, "collateralAmount": 500_000_000,
    "openPrice": 100_000 * 10**10,
}  # fmt: skip
INFO = {"maxSlippageP": 800}


def test_gains_tells_open_trades_and_not_what_rests() -> None:
    book = GainsPositions(tables(load()))
    calls = book.calls(CHAIN, OWNER)
    assert [call.data for call in calls] == [
        calldata("getTrades", OWNER), calldata("getTradeInfos", OWNER),
    ]  # fmt: skip
    assert {call.to for call in calls} == {DIAMOND}
    assert book.calls(1, OWNER) == []
    rows = [
        TRADE,
        TRADE | {"index": 8, "tradeType": 1},
        TRADE | {"index": 9, "collateralIndex": 200},
        TRADE | {"index": 10, "isOpen": False},
        TRADE | {"index": 11, "pairIndex": 1, "long": False},
    ]
    infos = [INFO] * len(rows)
    said = [answer("getTrades", rows), answer("getTradeInfos", infos)]
    first, second = book.read(CHAIN, OWNER, said)
    assert (first.venue, first.id, first.pool) == (GAINS, "gains:42161:7", "42161:USDC")
    assert (first.market, first.side) == (MarketId("BTC-USD"), "LONG")
    assert (second.market, second.side, second.ref) == (MarketId("ETH-USD"), "SHORT", "11")
    held = GAINS_ROUTES.holding(POOL, first)
    # 500 at 10 x, at 100,000.
    assert (held.size_base, held.entry_price) == (Decimal("0.05"), Decimal(100_000))
    assert (held.collateral, held.collateral_amount) == ("USDC", Decimal(500))
    for bad in ([said[0], None], [said[0], answer("getTradeInfos", [])], [b"", said[1]]):
        with pytest.raises((InputError, VenueProtocolError)):
            book.read(CHAIN, OWNER, bad)


def test_every_venue_that_is_traded_at_has_a_book() -> None:
    books = {book.venue: book for book in position_books(Settings.model_construct())}
    assert set(books) == {"gmx", "gains"}
    assert books[GAINS].calls(137, OWNER)


# Where what is changed is liquidated --------------------------------------------------------------


def margin_of(side: OrderSide, intent: Intent, amount: str) -> OrderIntent:
    return OrderIntent(
        MarketId("BTC-USD"), side, intent, "market", collateral_amount=Decimal(amount)
    )


def gains_leg(posted: str, usd: str) -> OrderLeg:
    base = Decimal(usd) / 100_000
    return OrderLeg(
        GAINS, CHAIN, "42161:USDC", "USDC", Decimal(posted), base, Decimal(usd), Decimal(100_000),
        None, "7",
    )  # fmt: skip


LIQUIDATED = replace(
    POOL,
    state=replace(
        POOL.state,
        liquidation=LiquidationTerms(5 * 10**8, 90 * 10**10, 75 * 10**10, 25_000, 60_000),
    ),
)


def gains_held(fees: int = 0) -> OpenPosition:
    book = GainsPositions(tables(load()))
    said = [answer("getTrades", [TRADE]), answer("getTradeInfos", [INFO])]
    [found] = book.read(CHAIN, OWNER, said)
    [call] = book.details([found], OWNER)
    assert call.data == calldata("getTradeFeesData", OWNER, 7)
    assert book.detailed(found, [None]) == found
    row = answer("getTradeFeesData", {"realizedTradingFeesCollateral": fees})
    return book.detailed(found, [row])


def test_a_larger_position_of_gains_is_liquidated_where_the_whole_would_be() -> None:
    intent = replace(margin_of("BUY", "increase", "500"), notional_usd=Decimal(5_000))
    held = gains_held(3_000_000)
    after = GAINS_ROUTES.liquidation_price(LIQUIDATED, intent, gains_leg("500", "5000"), held)
    whole = replace(intent, intent="open", notional_usd=Decimal(10_000))
    opened = GAINS_ROUTES.liquidation_price(LIQUIDATED, whole, gains_leg("1000", "10000"))
    assert after is not None
    assert opened is not None
    # The first half was filled without spread and impact, and its fee is booked.
    assert abs(after - opened) < 30
    # What was booked before brings it nearer.
    poorer = GAINS_ROUTES.liquidation_price(
        LIQUIDATED, intent, gains_leg("500", "5000"), gains_held(50_000_000)
    )
    assert poorer is not None
    assert poorer > after
    unknown = replace(held, details=None)
    assert (
        GAINS_ROUTES.liquidation_price(LIQUIDATED, intent, gains_leg("500", "5000"), unknown)
        is None
    )


def test_more_margin_moves_it_away_and_less_brings_it_nearer() -> None:
    held, nothing = gains_held(), gains_leg("100", "0")
    more = GAINS_ROUTES.liquidation_price(
        LIQUIDATED, margin_of("BUY", "increase", "100"), nothing, held
    )
    less = GAINS_ROUTES.liquidation_price(
        LIQUIDATED, margin_of("SELL", "decrease", "100"), nothing, held
    )
    assert more is not None
    assert less is not None
    assert more < Decimal(91_000) < less
    with pytest.raises(InputError):
        GAINS_ROUTES.liquidation_price(
            LIQUIDATED, margin_of("SELL", "decrease", "500"), gains_leg("500", "0"), held
        )


def gmx_held(token: str, units: int, usd: int, posted: int, owed: int = 0) -> OpenPosition:
    row = stored(token, is_long=True, units=units, usd=usd, posted=posted)
    [found] = GMX.read(CHAIN, OWNER, [reader_says(row)])
    calls = GMX.details([found], OWNER)
    assert {call.to for call in calls} == {GMX.contracts["DATA_STORE"]}
    assert len({call.data for call in calls}) == 2
    assert GMX.detailed(found, [None, b""]) == found
    return GMX.detailed(found, [owed.to_bytes(32), (0).to_bytes(32)])


def test_a_larger_position_of_gmx_is_liquidated_where_the_whole_would_be() -> None:
    case = next(
        case
        for case in gmx.LIFECYCLES
        if case["market"] == "ETH" and case["collateral"] not in gmx.LONG_TOKENS.values()
    )
    inputs, market = gmx_inputs(case)
    posted = inputs.terms.posted
    assert posted is not None
    usdc, price = posted.short_token.address, market.prices.index.max_usd_e30
    units = 1_000 * 10**30 // price

    def leg(amount: int, usd: int) -> OrderLeg:
        return OrderLeg(
            VenueId("gmx"), CHAIN, ETH_USDC, "USDC", Decimal(amount), Decimal(1), Decimal(usd),
            Decimal(1), None,
        )  # fmt: skip

    intent = replace(margin_of("BUY", "increase", "200"), notional_usd=Decimal(1_000))
    held = gmx_held(usdc, units, 1_000, 200 * 10**6)
    assert GMX_ROUTES.liquidation_price(inputs, intent, leg(200, 1_000), held) is None
    # The pool has to have it in its open interest.
    nothing = ByToken(0, 0)
    state = replace(
        inputs.terms.state,
        open_interest_usd_e30=Sided(ByToken(0, 1_000 * 10**30), nothing),
        open_interest_units=Sided(ByToken(0, units), nothing),
    )
    inputs = replace(inputs, terms=replace(inputs.terms, state=state))
    after = GMX_ROUTES.liquidation_price(inputs, intent, leg(200, 1_000), held)
    opened = GMX_ROUTES.liquidation_price(
        inputs, replace(intent, intent="open"), leg(400, 2_000), None
    )
    assert after is not None
    assert opened is not None
    assert abs(after / opened - 1) < Decimal("0.005")
    # A tenth of the size is owed: 100 of the 400 that are posted.
    owing = gmx_held(usdc, units, 1_000, 200 * 10**6, 10**29)
    poorer = GMX_ROUTES.liquidation_price(inputs, intent, leg(200, 1_000), owing)
    assert poorer is not None
    assert poorer > after * Decimal("1.03")
    margin = margin_of("BUY", "increase", "100")
    more = GMX_ROUTES.liquidation_price(inputs, margin, leg(100, 0), held)
    less = GMX_ROUTES.liquidation_price(
        inputs, margin_of("SELL", "decrease", "50"), leg(50, 0), held
    )
    assert more is not None
    assert less is not None
    assert more < after < less
    unknown = replace(held, details=None)
    assert GMX_ROUTES.liquidation_price(inputs, intent, leg(200, 1_000), unknown) is None
