"""Positions that the contracts opened, marked later and closed, to the last digit."""

import pytest

from connectors.gmx.economics import carry, execution, fees, load, margin
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.economics.model import MarketConfig, Position
from connectors.gmx.economics.trades import close_position, increase_position
from tests.unit.connectors.gmx.economics import vectors as v

CASES = [
    pytest.param(case, id=f"{place}-{case['market']}-{case['state']}")
    for place, case in enumerate(v.LIFECYCLES)
]
every_case = pytest.mark.parametrize("case", CASES)


def config(case: v.Row) -> MarketConfig:
    return v.config_of(case["market"], case["open_interest_in_tokens"])


def held(case: v.Row) -> Position:
    return v.position(case["position"], case["market"], case["collateral"])


def later(case: v.Row) -> v.Given:
    then = case["later"]
    return v.Given(config(case), load.market_state(then["market_state"]), v.prices(then["prices"]))


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(CASES) >= 43
    assert all(case["open"]["outcome"] == "OrderExecuted" for case in v.LIFECYCLES)
    assert all(case["close"]["outcome"] == "OrderExecuted" for case in v.LIFECYCLES)


@every_case
def test_quote_before_the_order(case: v.Row) -> None:
    state, prices = load.market_state(case["market_state_before"]), v.prices(case["prices"])
    size = int(case["size_delta_usd"])
    found = execution.increase(config(case), state, prices.index, case["is_long"], size)
    assert case["quote"] == v.texts(
        priceImpactUsd=found.impact_usd_e30,
        executionPrice=found.price_usd_e30,
        balanceWasImproved=found.balance_improved,
        proportionalPendingImpactUsd=0,
        totalImpactUsd=0,
        priceImpactDiffUsd=0,
    )


@every_case
def test_the_open(case: v.Row) -> None:
    state, prices = load.market_state(case["market_state_before"]), v.prices(case["prices"])
    is_long, size = case["is_long"], int(case["size_delta_usd"])
    in_long_token = case["collateral"] == v.LONG_TOKENS[case["market"]]
    opened_s = int(case["open"]["block_timestamp"])
    done = increase_position(
        config(case),
        state,
        prices,
        Position(is_long, in_long_token),
        size,
        int(case["collateral_amount"]),
        ANY_BUY_PRICE if is_long else ANY_SELL_PRICE,
        opened_s,
    )
    assert done.position == held(case)
    price = prices.token(in_long_token)
    event = case["open"]["position_increase"]
    assert v.numbers(event) == v.texts(
        sizeInUsd=done.position.size_usd_e30,
        sizeInTokens=done.position.size_units,
        collateralAmount=done.position.collateral_units,
        borrowingFactor=done.position.borrowing_factor_e30,
        fundingFeeAmountPerSize=done.position.funding_fee_per_size,
        longTokenClaimableFundingAmountPerSize=done.position.claimable_funding_per_size.long_token,
        shortTokenClaimableFundingAmountPerSize=(
            done.position.claimable_funding_per_size.short_token
        ),
        executionPrice=done.execution.price_usd_e30,
        sizeDeltaUsd=size,
        sizeDeltaInTokens=done.execution.units,
        orderType=2,
        increasedAtTime=opened_s,
        collateralDeltaAmount=done.collateral_delta_units,
        pendingPriceImpactUsd=done.execution.impact_usd_e30,
        pendingPriceImpactAmount=done.execution.impact_units,
        isLong=is_long,
    ) | {
        "indexTokenPrice.max": v.text(prices.index.max_usd_e30),
        "indexTokenPrice.min": v.text(prices.index.min_usd_e30),
        "collateralTokenPrice.max": v.text(price.max_usd_e30),
        "collateralTokenPrice.min": v.text(price.min_usd_e30),
    }
    found = v.fees_event(done.fees, v.Given(config(case), done.state, prices), done.position, size)
    assert v.numbers(case["open"]["fees"]) == found | {"isIncrease": True}


@every_case
def test_the_market_after_the_open(case: v.Row) -> None:
    state, prices = load.market_state(case["market_state_before"]), v.prices(case["prices"])
    is_long = case["is_long"]
    done = increase_position(
        config(case),
        state,
        prices,
        Position(is_long, case["collateral"] == v.LONG_TOKENS[case["market"]]),
        int(case["size_delta_usd"]),
        int(case["collateral_amount"]),
        ANY_BUY_PRICE if is_long else ANY_SELL_PRICE,
        int(case["open"]["block_timestamp"]),
    )
    expected = dict(case["later"]["market_state"])
    # What no formula here takes.
    del expected["LENT_POSITION_IMPACT_POOL_AMOUNT"]
    del expected["POSITION_IMPACT_POOL_DISTRIBUTED_AT"]
    assert v.state_row(done.state) == expected


@every_case
def test_the_liquidation_price(case: v.Row) -> None:
    given = later(case)._replace(prices=v.prices(case["prices"]))
    expected = case["liquidation"]
    # WBTC stands for BTC, WETH is the index itself: one price.
    same = given.prices.long_token == given.prices.index
    pair = margin.liquidation_price(*given, held(case), long_token_is_index=same)
    assert [v.text(price) for price in pair] == (
        expected["healthy_and_first_liquidatable_index_price"]
    )
    assert v.health_row(margin.health(*given, held(case))) == expected["now"]


@every_case
def test_the_position_later(case: v.Row) -> None:
    given = later(case)
    market, stored, prices = given
    position, size = held(case), int(case["size_delta_usd"])
    found = execution.decrease(market, stored, prices.index, position, size)
    result = margin.pnl(market, stored, prices, position, size)
    now = carry.accrue(market, stored, prices, int(case["later"]["block_timestamp"]))
    price = prices.token(position.collateral_is_long_token)
    kept, due = (
        fees.position_fees(market, state, position, price, size, found.balance_improved)
        for state in (stored, now)
    )
    assert v.numbers(case["later"]["position_info"]) == {
        "fees": v.fees_struct(kept, due, given._replace(state=now), position),
        "executionPriceResult": v.texts(
            priceImpactUsd=found.impact_usd_e30,
            executionPrice=found.price_usd_e30,
            balanceWasImproved=found.balance_improved,
            proportionalPendingImpactUsd=found.pending_usd_e30,
            totalImpactUsd=found.total_usd_e30,
            priceImpactDiffUsd=found.diff_usd_e30,
        ),
        **v.texts(
            basePnlUsd=result.usd_e30,
            uncappedBasePnlUsd=result.uncapped_usd_e30,
            pnlAfterPriceImpactUsd=result.usd_e30 + found.impact_usd_e30,
        ),
    }
    assert v.health_row(margin.health(*given, position)) == case["later"]["liquidatable"]


@every_case
def test_the_close(case: v.Row) -> None:
    given, position = later(case), held(case)
    closed_s = int(case["close"]["block_timestamp"])
    any_price = ANY_SELL_PRICE if position.is_long else ANY_BUY_PRICE
    done = close_position(*given, position, any_price, closed_s)
    prices = given.prices
    long_token = v.LONG_TOKENS[case["market"]]
    paid = dict.fromkeys(case["close"]["paid"], 0)
    paid |= {long_token: done.paid.long_token, "USDC": done.paid.short_token}
    assert case["close"]["paid"] == v.texts(**paid)

    price = prices.token(position.collateral_is_long_token)
    known = position.claimable_funding_per_size
    assert v.numbers(case["close"]["position_decrease"]) == v.texts(
        # Of a closed position the contract leaves what it did not need to change.
        sizeInUsd=0,
        sizeInTokens=0,
        collateralAmount=0,
        borrowingFactor=position.borrowing_factor_e30,
        fundingFeeAmountPerSize=position.funding_fee_per_size,
        longTokenClaimableFundingAmountPerSize=known.long_token,
        shortTokenClaimableFundingAmountPerSize=known.short_token,
        executionPrice=done.execution.price_usd_e30,
        sizeDeltaUsd=position.size_usd_e30,
        sizeDeltaInTokens=done.execution.units,
        collateralDeltaAmount=position.collateral_units,
        orderType=4,
        decreasedAtTime=closed_s,
        priceImpactUsd=done.execution.impact_usd_e30,
        basePnlUsd=done.pnl.usd_e30,
        uncappedBasePnlUsd=done.pnl.uncapped_usd_e30,
        proportionalPendingImpactUsd=done.execution.pending_usd_e30,
        totalImpactUsd=done.execution.total_usd_e30,
        isLong=position.is_long,
    ) | {
        "values.priceImpactDiffUsd": v.text(done.execution.diff_usd_e30),
        "indexTokenPrice.max": v.text(prices.index.max_usd_e30),
        "indexTokenPrice.min": v.text(prices.index.min_usd_e30),
        "collateralTokenPrice.max": v.text(price.max_usd_e30),
        "collateralTokenPrice.min": v.text(price.min_usd_e30),
    }
    now = carry.accrue(*given, closed_s)
    found = v.fees_event(done.fees, given._replace(state=now), position, position.size_usd_e30)
    assert v.numbers(case["close"]["fees"]) == found | {"isIncrease": False}
