"""The liquidation price of a route against what the venues' contracts and documentation say."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.dydx.economics.pricing import BookInputs, Margin
from connectors.dydx.economics.quote import Scale
from connectors.dydx.routes import ROUTES as DYDX
from connectors.gains.economics.fees import trade_fee
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import E8, E10
from connectors.gains.routes import ROUTES as GAINS
from connectors.gmx.economics import load, margin
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.economics.model import Position
from connectors.gmx.economics.opened import Margins, PoolToken, Posted
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.economics.trades import increase_position
from connectors.gmx.routes import ROUTES as GMX
from domain.costs import OrderSide
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from tests.unit.connectors.gains.economics import pools
from tests.unit.connectors.gains.economics import vectors as gains
from tests.unit.connectors.gmx.economics import openings
from tests.unit.connectors.gmx.economics import vectors as gmx


def is_usual(case: Any) -> bool:
    """At the open, of a trader without a discount."""
    given = case["in"]
    if not given["beforeOpened"]:
        return False
    fees = gains.fee_terms(given["closingFeeNoTier"])
    size, token = gains.trade(given).size, gains.collateral(given["collateral"])
    return trade_fee(size, fees, token, is_counter=False) == int(given["openingFeeCollateral"])


AT_OPEN = gains.of_kind("liquidation_price", is_usual)
LONG_TOKENS = {"ETH": ("ETH", 18), "BTC": ("WBTC.b", 8)}


def intent_of(side: OrderSide, leverage: Decimal) -> OrderIntent:
    return OrderIntent(
        MarketId("BTC-USD"), side, "open", "market", notional_usd=Decimal(1), leverage=leverage
    )


def leg_of(symbol: str, posted: Decimal, size: Decimal, usd: Decimal, at: Decimal) -> OrderLeg:
    return OrderLeg(VenueId("x"), 42161, "x", symbol, posted, size, usd, at, None)


def test_there_are_as_many_cases_of_gains_as_were_recorded() -> None:
    assert len(AT_OPEN) >= 20


@pytest.mark.parametrize("case", AT_OPEN, ids=gains.name_of)
def test_gains_says_what_the_contract_says_at_the_open(case: Any) -> None:
    given = case["in"]
    trade, fees = gains.trade(given), gains.fee_terms(given["closingFeeNoTier"])
    token = gains.collateral(given["collateral"])
    # The spread is a part of the state, as a whole.
    pair = replace(pools.STATE, spread_p=int(given["spreadP"]))
    state = replace(
        pools.POOL.state,
        collateral=token,
        fees=fees,
        pair=pair,
        liquidation=gains.liquidation_terms(given["liquidationParams"]),
    )
    unit = Decimal(10) ** -token.decimals
    # As much as the contract's own size comes to in dollars, and what rounding down loses of it.
    usd = (Decimal(trade.size) * unit * token.price_usd_e8 + 1) / E8
    price = Decimal(trade.open_price_e10) / E10
    leg = leg_of("USDC", trade.collateral * unit, usd / price, usd, price)
    intent = intent_of("BUY" if trade.long else "SELL", Decimal(trade.leverage_e3) / 1000)
    found = GAINS.liquidation_price(Pool(trade.open_price_e10, state), intent, leg)
    assert int((found or 0) * E10) == int(case["out"]["liqPrice"])
    assert GAINS.liquidation_price(pools.POOL, intent, leg) is None


def gmx_inputs(case: Any) -> tuple[GmxInputs, Any]:
    """What the feed knows of the pool just before a vector's position was opened."""
    config = gmx.config_of(case["market"], case["open_interest_in_tokens"])
    state = load.market_state(case["market_state_before"])
    market = gmx.Given(config, state, gmx.prices(case["prices"]))
    inputs = openings.inputs(market, openings.DECIMALS[case["market"]])
    margins = Margins(
        config.min_collateral_factor_e30,
        config.min_collateral_factor_for_liquidation_e30,
        config.min_collateral_factor_per_interest_e30,
        config.max_impact_factor_for_liquidations_e30,
        config.min_collateral_usd_e30,
    )
    symbol, decimals = LONG_TOKENS[case["market"]]
    posted = Posted(
        PoolToken(gmx.LONG_TOKENS[case["market"]].lower(), symbol, decimals),
        PoolToken("0xaf88d065e77c8cc2239327c5edb3a432268e5831", "USDC", 6),
        # A wrapped bitcoin has a price of its own.
        True if case["market"] == "ETH" else None,
        margins,
    )
    return replace(inputs, terms=replace(inputs.terms, posted=posted)), market


@pytest.mark.parametrize("case", gmx.LIFECYCLES, ids=range(len(gmx.LIFECYCLES)))
def test_gmx_says_where_the_contracts_position_turns(case: Any) -> None:
    inputs, market = gmx_inputs(case)
    is_long, in_long_token = case["is_long"], case["collateral"] == gmx.LONG_TOKENS[case["market"]]
    opened = increase_position(
        *market,
        Position(is_long, in_long_token),
        int(case["size_delta_usd"]),
        int(case["collateral_amount"]),
        ANY_BUY_PRICE if is_long else ANY_SELL_PRICE,
        int(case["open"]["block_timestamp"]),
    )
    # The very position that the contracts stored.
    stored = gmx.position(case["position"], case["market"], case["collateral"])
    assert opened.position == stored
    moves = case["market"] == "ETH"
    healthy, first = margin.liquidation_price(
        market.config, opened.state, market.prices, stored, long_token_is_index=moves
    )
    decimals = inputs.terms.decimals
    token = inputs.terms.posted
    assert token is not None
    posted = token.long_token if in_long_token else token.short_token
    usd = Decimal(case["size_delta_usd"]).scaleb(-30)
    leg = leg_of(
        posted.symbol,
        Decimal(case["collateral_amount"]).scaleb(-posted.decimals),
        Decimal(1),
        usd,
        Decimal(1),
    )
    found = GMX.liquidation_price(inputs, intent_of("BUY" if is_long else "SELL", Decimal(2)), leg)
    if in_long_token and not moves:
        assert found is None
    else:
        assert healthy is not None
        assert found == (None if first is None else Decimal(first).scaleb(decimals - 30))


def test_gmx_names_what_the_contracts_would_refuse() -> None:
    case = next(
        case for case in gmx.LIFECYCLES if case["collateral"] not in gmx.LONG_TOKENS.values()
    )
    inputs, _ = gmx_inputs(case)
    size = Decimal(case["size_delta_usd"]).scaleb(-30)
    leg = leg_of("USDC", size / 1000, Decimal(1), size, Decimal(1))
    with pytest.raises(InputError) as caught:
        GMX.liquidation_price(inputs, intent_of("BUY", Decimal(1000)), leg)
    assert caught.value.code in ("LIQUIDATABLE", "COLLATERAL", "MIN_COLLATERAL", "LEVERAGE")
    unknown = replace(inputs, terms=replace(inputs.terms, posted=None))
    with pytest.raises(InputError):
        GMX.liquidation_price(unknown, intent_of("BUY", Decimal(10)), leg)


def test_gmx_opens_what_waits_at_its_trigger() -> None:
    """With half of it posted, a long that opens at 1000 has lost all of that below 500."""
    case = next(
        case
        for case in gmx.LIFECYCLES
        if case["market"] == "ETH" and case["collateral"] not in gmx.LONG_TOKENS.values()
    )
    inputs, _ = gmx_inputs(case)
    leg = leg_of("USDC", Decimal(500), Decimal(1), Decimal(1000), Decimal(1000))
    intent = replace(intent_of("BUY", Decimal(2)), type="take_profit", trigger_price=Decimal(1000))
    found = GMX.liquidation_price(inputs, intent, leg)
    assert found is not None
    assert Decimal(500) < found < Decimal(530)


def test_dydx_says_what_its_documentation_says() -> None:
    """Long 0.5 BTC at 90,000 with 5,000 and maintenance 1.2 %: 80971.659919."""
    book = BookInputs(Scale(10**18, 10**14), (), (), 0, Margin(-10, 20_000, 600_000))
    leg = leg_of("USDC", Decimal(5000), Decimal("0.5"), Decimal(45_000), Decimal(90_000))
    found = DYDX.liquidation_price(book, intent_of("BUY", Decimal(9)), leg)
    assert found is not None
    assert abs(found - Decimal("80971.659919")) < Decimal("0.00001")
    # A fee of 5 bps is lost at once: 22.5 of what was posted, over 0.5 x 98.8 %.
    dearer = DYDX.liquidation_price(replace(book, taker_ppm=500), intent_of("BUY", Decimal(9)), leg)
    assert dearer is not None
    assert abs(dearer - found - Decimal("22.5") / Decimal("0.494")) < Decimal("0.00001")
    # Short 3 ETH at 3,000 with 1,000 and maintenance 5 %: 10,000 / 3.15.
    book = BookInputs(Scale(10**18, 10**14), (), (), 0, Margin(-9, 100_000, 500_000))
    leg = leg_of("USDC", Decimal(1000), Decimal(3), Decimal(9000), Decimal(3000))
    found = DYDX.liquidation_price(book, intent_of("SELL", Decimal(9)), leg)
    assert found is not None
    assert abs(found - Decimal("3174.603174603")) < Decimal("0.00001")
    assert (
        DYDX.liquidation_price(replace(book, margin=None), intent_of("BUY", Decimal(9)), leg)
        is None
    )
