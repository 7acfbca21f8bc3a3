"""Fees, borrowing, funding and liquidation, as read from the contracts' source where no computed
case reaches."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.gains.economics import borrowing, funding
from connectors.gains.economics.fees import (
    FeeTerms,
    fee_multiplier,
    min_opening_collateral,
    split_fee,
    trade_fee,
)
from connectors.gains.economics.liquidation import trigger_price_e10
from connectors.gains.economics.pnl import effective_leverage_e3
from connectors.gains.economics.scales import E10, E18, ContractRefusal
from tests.unit.connectors.gains.economics.plain import (
    FEES,
    ONE,
    PRICE,
    SHARES,
    USDC,
)

# Fees ---------------------------------------------------------------------------------------------


def test_a_referrer_is_paid_before_the_rest() -> None:
    parts = split_fee(1_000_000, SHARES, market_order=False, referrer_progress_p=50 * E10)
    assert parts.referral == 25_000
    assert parts.gov == 975_000 * 245 // 1_000
    assert parts.trigger == 39_000
    override = split_fee(
        1_000_000,
        SHARES,
        market_order=True,
        referral_override_e3=10_000,
        referrer_progress_p=100 * E10,
    )
    assert (override.referral, override.trigger) == (100_000, 0)
    assert override.gns_otc == 900_000 * 565 // 1_000 + 36_000


def test_tiers_multiply() -> None:
    tiers = [(6, 975), (20, 950)]
    assert fee_multiplier(19, tiers).total_e6 == 975_000
    assert fee_multiplier(20, tiers, staking_e3=900).total_e6 == 855_000
    assert fee_multiplier(20, tiers, staking_e3=900, enrolled=False).total_e6 == 10**6
    both = replace(FEES, trader_multiplier_e3=950, staking_multiplier_e3=900)
    assert trade_fee(10_000 * ONE, both, USDC) == 5_130_000


def test_the_least_collateral_is_five_times_the_least_fee() -> None:
    assert min_opening_collateral(FEES, USDC) == 3_750_000
    forex = FeeTerms(120_000_000, 0, 45_000_000)
    assert min_opening_collateral(forex, USDC) == 27 * ONE


# Holding fees -------------------------------------------------------------------------------------


def member(group: int, block: int, pair_p: int, initial: int, previous: int) -> Any:
    return borrowing.Membership(group, block, initial, 0, previous, 0, pair_p, 0)


@pytest.mark.parametrize(
    ("memberships", "opened_at", "fee_p"),
    [
        # No group: the pair alone.
        ([], 50, 1_000 - 100),
        # One group from before the trade: the larger of pair and group.
        ([member(1, 10, 0, 0, 0)], 50, max(1_000 - 100, 700 - 30)),
        # Joined after: the pair until then, then the larger.
        ([member(1, 60, 400, 500, 0)], 50, (400 - 100) + max(1_000 - 400, 700 - 500)),
        # Two groups, both before: only the last counts.
        ([member(2, 5, 0, 0, 0), member(1, 10, 0, 0, 0)], 50, max(900, 670)),
        # The first from before, the second joined after.
        (
            [member(2, 5, 0, 0, 0), member(1, 60, 300, 650, 950)],
            50,
            max(950 - 30, 300 - 100) + max(700 - 650, 1_000 - 300),
        ),
        # The second joined in the block of the opening: the first adds nothing.
        (
            [member(2, 5, 0, 0, 0), member(1, 50, 400, 500, 950)],
            50,
            max(700 - 500, 1_000 - 400),
        ),
        # Joined in the block of the opening: not older, not younger.
        ([member(1, 50, 400, 500, 0)], 50, max(700 - 500, 1_000 - 400)),
    ],
)
def test_borrowing_follows_the_groups_of_the_pair(
    memberships: Any, opened_at: int, fee_p: int
) -> None:
    fee = borrowing.fee_v1(
        10**12,
        1_000,
        borrowing.InitialFees(100, 30, opened_at),
        borrowing.Accrued(1_000, 0, 0, 0),
        {1: borrowing.Accrued(700, 0, 0, 0)},
        memberships,
        long=True,
    )
    assert fee == fee_p


def test_sides_pay_between_the_caps() -> None:
    stored = borrowing.Accrual(10**6, 7, 9, 100, 1)
    cap = borrowing.FeeCap(10_000, 80_000)

    def deltas(long_oi: int, short_oi: int, terms: Any = cap) -> tuple[int, int]:
        found = borrowing.accrued(
            stored, long_oi * ONE, short_oi * ONE, 100 * E10, USDC, 200, terms
        )
        assert found.long_p == 7 + found.long_delta_p
        assert found.short_p == 9 + found.short_delta_p
        return found.long_delta_p, found.short_delta_p

    assert deltas(50, 0) == (50 * 10**6, 0)
    assert deltas(50, 45) == (10 * 10**6, 10 * 10**6)
    assert deltas(5, 100) == (10 * 10**6, 80 * 10**6)
    assert deltas(0, 0) == (0, 0)
    assert deltas(100, 0, borrowing.NO_CAP) == (100 * 10**6, 0)
    with pytest.raises(ContractRefusal):
        borrowing.accrued(stored, 0, 0, 1, USDC, 99)


FUNDING = funding.FundingTerms(10**22, 10**6, 10**4, 10_000, True, True)


def accrue(terms: funding.FundingTerms, rate: int, long: int, short: int, s: int) -> Any:
    stored = funding.Funding(0, 0, rate, 0)
    return funding.accrued(stored, terms, long * E18, short * E18, PRICE, 10**8, s)


def test_funding_moves_to_its_cap_and_stays() -> None:
    cap = 10**4 * 10**8
    assert accrue(FUNDING, cap, 2, 1, 10).rate_p_e18 == cap
    assert accrue(FUNDING, 0, 2, 1, 10**9).rate_p_e18 == cap
    assert accrue(FUNDING, 0, 1, 2, 10**9).rate_p_e18 == -cap
    assert accrue(replace(FUNDING, rate_cap_p=0), cap, 2, 1, 10).rate_p_e18 == 0
    # A cap lowered below the rate is never reached from beyond it.
    assert accrue(FUNDING, 2 * cap, 2, 1, 10**6).rate_p_e18 > 2 * cap


def test_funding_needs_skew_beyond_theta() -> None:
    assert accrue(FUNDING, 5, 1, 1, 100).rate_p_e18 == 5
    assert accrue(replace(FUNDING, theta_usd=100_001), 5, 2, 1, 100).rate_p_e18 == 5
    assert accrue(replace(FUNDING, theta_usd=100_000), 5, 2, 1, 100).rate_p_e18 > 5


def test_who_earns_is_paid_by_the_ratio_of_open_interest() -> None:
    rate = 10**12
    frozen = replace(FUNDING, skew_coefficient_e26=0)
    three = accrue(frozen, rate, 3, 1, 100)
    assert three.short_p_e20 == -3 * three.long_p_e20 < 0
    earning_longs = accrue(frozen, -rate, 4, 1, 100)
    assert earning_longs.short_p_e20 == -4 * earning_longs.long_p_e20 > 0
    much = accrue(frozen, rate, 1_000, 1, 100)
    assert much.short_p_e20 == -100 * much.long_p_e20
    alone = accrue(frozen, rate, 3, 0, 100)
    assert (alone.long_p_e20 > 0, alone.short_p_e20) == (True, 0)
    plain = accrue(replace(frozen, apr_multiplier=False), rate, 3, 1, 100)
    assert plain.short_p_e20 == -plain.long_p_e20


def test_disabled_funding_stands_still() -> None:
    stored = funding.Funding(5, -7, 11, 0)
    off = replace(FUNDING, enabled=False)
    assert funding.accrued(stored, off, E18, 0, PRICE, 10**8, 99) == stored


# Liquidation --------------------------------------------------------------------------------------


def test_no_trigger_where_no_price_liquidates() -> None:
    assert trigger_price_e10(lambda _: 0, 0, long=True) is None
    assert trigger_price_e10(lambda price: price + 1, PRICE, long=False) is None


def test_a_trade_without_value_has_the_most_leverage() -> None:
    assert effective_leverage_e3(ONE, 10_000, PRICE, PRICE, 0) == 2**24 - 1
    assert effective_leverage_e3(ONE, 10_000, PRICE, PRICE, ONE) == 10_000
