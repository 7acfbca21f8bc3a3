"""What holding a position costs an hour at the rates of the moment."""

from dataclasses import dataclass
from typing import NamedTuple

from connectors.gains.economics.borrowing import (
    Accrual,
    FeeCap,
    accrued,
    group_accrued,
    pair_open_interest,
)
from connectors.gains.economics.funding import Funding, FundingTerms, current_rates_p_e18
from connectors.gains.economics.inputs import Pool

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class HoldingTerms:
    """Of a pair in one collateral. ``rate_v2_p``: e10 percent a second.

    ``pair`` and ``group`` are borrowing v1 from nothing at block 0, so that what they have accrued
    at a block is what so many blocks add. ``group`` None: the pair is in none.
    """

    funding: Funding
    funding_terms: FundingTerms
    rate_v2_p: int
    pair: Accrual
    cap: FeeCap
    group: Accrual | None


class Hourly(NamedTuple):
    """Fractions of the position's value for an hour. Funding e20: what longs pay and what shorts
    receive. Borrowing e12: what each side pays. Open interest at the price, in base units."""

    funding_long_e20: int
    funding_short_e20: int
    borrowing_long_e12: int
    borrowing_short_e12: int
    long_oi: int
    short_oi: int


def hourly(terms: HoldingTerms, pool: Pool, now_s: int, blocks: int) -> Hourly:
    """``blocks``: how many an hour has. Of a position of nearly nothing: a side without open
    interest is taken to have the least there can be.

    Source: FundingFeesUtils.getPairPendingAccFundingFees and getPairPendingAccBorrowingFees,
    BorrowingFeesUtils.getTradeBorrowingFee, v10.2.
    """
    collateral, pair = pool.state.collateral, pool.state.pair
    exposure = pool.state.exposure
    long_p_e18, short_p_e18 = current_rates_p_e18(
        terms.funding,
        terms.funding_terms,
        pair.long_token_e18,
        pair.short_token_e18,
        pool.mark_e10,
        collateral.price_usd_e8,
        now_s,
    )
    long_oi, short_oi = pair_open_interest(
        exposure.before_v10,
        pair.long_token_e18,
        pair.short_token_e18,
        pool.mark_e10,
        collateral,
    )
    added = accrued(
        terms.pair,
        max(long_oi, 1),
        max(short_oi, 1),
        exposure.before_v10.max_e10,
        collateral,
        blocks,
        terms.cap,
    )
    long_p, short_p = added.long_p, added.short_p
    if terms.group is not None:
        of_group = group_accrued(terms.group, exposure.group, collateral, blocks)
        long_p, short_p = max(long_p, of_group.long_p), max(short_p, of_group.short_p)
    v2_p = terms.rate_v2_p * _HOUR_S
    return Hourly(
        long_p_e18 * _HOUR_S,
        short_p_e18 * _HOUR_S,
        long_p + v2_p,
        short_p + v2_p,
        long_oi,
        short_oi,
    )
