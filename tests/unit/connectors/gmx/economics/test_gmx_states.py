"""Every answer of the contracts' Reader about the recorded states, to the last digit."""

import pytest

from connectors.gmx.economics import carry, execution, fees, impact, margin, swap
from connectors.gmx.economics.model import Sided
from tests.unit.connectors.gmx.economics import vectors as v

INCREASES = [
    pytest.param(row, case, id=f"{row['name']}-{case['size_delta_usd']}-{case['is_long']}")
    for row in v.STATES
    for case in row["increase"]
]
DECREASES = [
    pytest.param(row, case, id=f"{row['name']}-{place}")
    for row in v.STATES
    for place, case in enumerate(row["decrease"])
]
SWAPS = [
    pytest.param(row, case, id=f"{row['name']}-{case['token_in']}-{case['amount_in']}")
    for row in v.STATES
    for case in row["swaps"]
]


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(v.STATES) >= 8
    assert len(INCREASES) >= 160
    assert len(DECREASES) >= 85
    assert len(SWAPS) >= 48


@pytest.mark.parametrize(("row", "case"), INCREASES)
def test_execution_price_of_an_increase(row: v.Row, case: v.Row) -> None:
    given = v.given(row)
    size = int(case["size_delta_usd"])
    found = execution.increase(given.config, given.state, given.prices.index, case["is_long"], size)
    assert case["out"] == v.texts(
        priceImpactUsd=found.impact_usd_e30,
        executionPrice=found.price_usd_e30,
        balanceWasImproved=found.balance_improved,
        proportionalPendingImpactUsd=0,
        totalImpactUsd=0,
        priceImpactDiffUsd=0,
    )


@pytest.mark.parametrize(("row", "case"), DECREASES)
def test_position_info_of_a_decrease(row: v.Row, case: v.Row) -> None:
    given = v.given(row)
    config, stored, prices = given
    position = v.position(case["position"], row["market"], case["collateral"])
    size = int(case["size_delta_usd"])
    found = execution.decrease(config, stored, prices.index, position, size)
    result = margin.pnl(config, stored, prices, position, size)
    now = carry.accrue(config, stored, prices, int(row["block_timestamp"]))
    price = prices.token(position.collateral_is_long_token)
    kept, due = (
        fees.position_fees(config, state, position, price, size, found.balance_improved)
        for state in (stored, now)
    )
    assert v.numbers(case["position_info"]) == {
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
    assert v.health_row(margin.health(config, stored, prices, position)) == case["liquidatable"]


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: row["name"])
def test_market_info(row: v.Row) -> None:
    config, state, prices = v.given(row)
    funding = carry.next_funding(config, state, prices, int(row["block_timestamp"]))
    pool = state.virtual_pool_units
    assert pool is not None
    info = row["market_info"]
    assert v.numbers(info) == {
        "borrowingFactorPerSecondForLongs": v.text(
            carry.borrowing_factor_per_second(config, state, prices, True)
        ),
        "borrowingFactorPerSecondForShorts": v.text(
            carry.borrowing_factor_per_second(config, state, prices, False)
        ),
        "baseFunding": {
            "fundingFeeAmountPerSize": v.by_token(state.funding_fee_per_size),
            "claimableFundingAmountPerSize": v.by_token(state.claimable_funding_per_size),
        },
        "nextFunding": {
            **v.texts(
                longsPayShorts=funding.longs_pay,
                fundingFactorPerSecond=funding.factor_per_second_e30,
                nextSavedFundingFactorPerSecond=funding.next_saved_factor_e30,
            ),
            "fundingFeeAmountPerSizeDelta": v.by_token(funding.fee_per_size),
            "claimableFundingAmountPerSizeDelta": v.by_token(funding.claimable_per_size),
        },
        "virtualInventory": v.texts(
            virtualPoolAmountForLongToken=pool.long_token,
            virtualPoolAmountForShortToken=pool.short_token,
            virtualInventoryForPositions=state.virtual_position_usd_e30,
        ),
        "isDisabled": False,
    }


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: row["name"])
def test_a_state_reads_back_as_it_was_given(row: v.Row) -> None:
    given = dict(row["state"])
    # What no formula here takes.
    del given["LENT_POSITION_IMPACT_POOL_AMOUNT"]
    del given["POSITION_IMPACT_POOL_DISTRIBUTED_AT"]
    assert v.state_row(v.given(row).state) == given


@pytest.mark.parametrize(("row", "case"), SWAPS)
def test_swap(row: v.Row, case: v.Row) -> None:
    given = v.given(row)
    of_long = case["token_in"] == v.LONG_TOKENS[row["market"]]
    found = swap.swap(*given, of_long, int(case["amount_in"]))
    assert v.numbers(case["out"]) == {
        "0": v.text(found.out_units),
        "1": v.text(found.impact_units),
        "fees": v.texts(
            feeReceiverAmount=found.fee_for_receiver_units,
            feeAmountForPool=found.fee_for_pool_units,
            amountAfterFees=found.after_fees_units,
            uiFeeReceiverFactor=0,
            uiFeeAmount=found.ui_fee_units,
        ),
    }


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: row["name"])
def test_hourly_rates_are_the_readers_rates(row: v.Row) -> None:
    config, state, _ = v.given(row)
    info = row["market_info"]
    longs_pay = info["nextFunding"]["longsPayShorts"]
    borrowing = Sided(
        int(info["borrowingFactorPerSecondForLongs"]),
        int(info["borrowingFactorPerSecondForShorts"]),
    )
    interest = Sided(*(impact.open_interest_usd(config, state, side) for side in (True, False)))
    per_second = int(info["nextFunding"]["fundingFactorPerSecond"])
    rates = carry.hourly_rates(interest, longs_pay, per_second, borrowing)
    assert rates.borrow_e30 == Sided(borrowing.long * 3600, borrowing.short * 3600)
    payer, taker = rates.funding_e30.of(longs_pay), rates.funding_e30.of(not longs_pay)
    assert payer == per_second * 3600
    # All that is paid is received, but for what is rounded off.
    left = payer * interest.of(longs_pay) + taker * interest.of(not longs_pay)
    assert 0 <= left < max(interest.of(not longs_pay), 1)
